/** What other tabs and people change: the revision is asked for, and what changed is fetched. */
import * as api from "./api.js";
import * as notice from "./notice.js";
import { on, set, state } from "./state.js";
import { turns } from "./turns.js";

const SECONDS = 2;
let seen = 0; // the revision up to which everything is known
let own = 0; // changes after that which were made here, as many as the server counts
let away = false;
let looking = false;

/** Fetch all objects of the opened image; left as it is if something was changed here meanwhile, or its answer came. */
export async function refresh() {
  const { image } = state.image;
  const [before, counted] = [turns(), own];
  const { revision, objects } = await api.objects(image);
  if (state.image?.image !== image || turns() !== before || own !== counted) return;
  [seen, own] = [revision, 0];
  const all = new Map(objects.map((object) => [object.id, object]));
  // What did not change stays the same object, so that nothing is drawn anew for it.
  for (const [id, object] of all) {
    const old = state.objects.get(id);
    if (old && JSON.stringify(old) === JSON.stringify(object)) all.set(id, old);
  }
  const { id } = state.target;
  set({ objects: all, ...(id && !all.has(id) ? { target: { id: null } } : {}) });
}

/** Something that was done here made this revision, by so many events: it need not be asked for. */
export function mine(revision, events = 1) {
  if (revision > seen) own += events;
}

/** Ask every two seconds while the page is seen and nothing of ours is under way. */
export function begin() {
  on(["image"], () => ([seen, own] = [0, 0]));
  setInterval(look, 1000 * SECONDS);
  document.addEventListener("visibilitychange", look);
}

async function look() {
  if (!state.image || document.hidden || state.busy || looking) return;
  const { image } = state.image;
  const before = turns();
  looking = true;
  try {
    const { revision, changes } = await api.revision(image, seen);
    if (away) notice.settle();
    away = false;
    // An answer from before a change of ours is older than what we know.
    if (revision === seen || state.image.image !== image || turns() !== before) return;
    if (own && changes === own) [seen, own] = [revision, 0];
    else await refresh();
  } catch (error) {
    if (!away) notice.show(error.message);
    away = true;
  } finally {
    looking = false;
  }
}
