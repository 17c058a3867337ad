/** What other tabs and people change: the revision is asked for, and what changed is fetched. */
import * as api from "./api.js";
import * as notice from "./notice.js";
import { set, state } from "./state.js";
import { turns } from "./turns.js";

const SECONDS = 2;
let seen = -1;
let away = false;
let looking = false;

/** Fetch all objects of the opened image; left as it is if something was changed here meanwhile. */
export async function refresh() {
  const { image } = state.image;
  const before = turns();
  const { revision, objects } = await api.objects(image);
  if (state.image?.image !== image || turns() !== before) return;
  seen = revision;
  const all = new Map(objects.map((object) => [object.id, object]));
  // What did not change stays the same object, so that nothing is drawn anew for it.
  for (const [id, object] of all) {
    const old = state.objects.get(id);
    if (old && JSON.stringify(old) === JSON.stringify(object)) all.set(id, old);
  }
  const { id } = state.target;
  set({ objects: all, ...(id && !all.has(id) ? { target: { id: null } } : {}) });
}

/** What we did is known already, if it came right after what was seen: each of its events makes the revision one more. */
export function mine(revision, events = 1) {
  if (revision === seen + events) seen = revision;
}

/** Ask every two seconds while the page is seen and nothing of ours is under way. */
export function begin() {
  setInterval(look, 1000 * SECONDS);
  document.addEventListener("visibilitychange", look);
}

async function look() {
  if (!state.image || document.hidden || state.busy || looking) return;
  const { image } = state.image;
  const before = turns();
  looking = true;
  try {
    const { revision } = await api.revision(image);
    if (away) notice.settle();
    away = false;
    // An answer from before a change of ours is older than what we know.
    if (revision !== seen && state.image.image === image && turns() === before) await refresh();
  } catch (error) {
    if (!away) notice.show(error.message);
    away = true;
  } finally {
    looking = false;
  }
}
