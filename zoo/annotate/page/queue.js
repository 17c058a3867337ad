/** Interactions on their way: given at once, or collected until Enter. */
import { give, giveMany } from "./actions.js";
import { pointsOf } from "./geometry.js";
import { on, read, set, state, write } from "./state.js";

const KEPT = "sessionStorage";
const name = ({ root, image }) => `isegzoo.queue ${root} ${image}`;

/** Begin to keep what waits, and what it is for, in this tab: a reload finds it. */
export function begin() {
  on(["queue", "target"], () => {
    const { image, queue, target } = state;
    if (image) write(name(image), queue.length ? { queue, target } : null, KEPT);
  });
}

/** What waits for an image, as parts of the state. */
export const waiting = (image) => read(name(image), { queue: [], target: { id: null } }, KEPT);

/** Give an interaction, or put it to those that wait if Shift is held or collecting is on. */
export function offer(interaction, event) {
  if (state.queueing || event?.shiftKey) set({ queue: [...state.queue, interaction] });
  else send([interaction]);
}

/** Run all that wait in one turn; with `within`, only those whose points lie there. What is refused waits again. */
export async function run(within = () => true) {
  const { image } = state;
  const [now, later] = [[], []];
  for (const each of state.queue) (pointsOf(each).every(within) ? now : later).push(each);
  set({ queue: later });
  const refused = now.length ? await send(now) : [];
  if (refused.length && state.image === image) set({ queue: [...refused, ...state.queue] });
}

/** Whether a box or a lasso goes around collected clicks, to run these. */
export const around = () => state.mode === "many" && state.queue.length > 0;

/** Let go of all that wait. */
export function discard() {
  set({ queue: [] });
}

/** Resolves to those that the server did not take. */
async function send(interactions) {
  const alone = ({ type, positive }) => type === "click" && positive;
  if (state.mode === "object") return (await give(interactions)) ? [] : interactions;
  const clicks = interactions.filter(alone);
  const sent = clicks.length ? [[clicks, giveMany(clicks)]] : [];
  for (const each of interactions.filter((one) => !alone(one))) {
    // A squiggle or a box is an object of its own too; what takes away corrects the last one.
    if (each.positive !== false) set({ target: { id: null } });
    sent.push([[each], give([each])]);
  }
  const taken = await Promise.all(sent.map(([, turn]) => turn));
  return sent.flatMap(([given], i) => (taken[i] ? [] : given));
}
