/** Interactions on their way: given at once, or collected until Enter. */
import { give, giveMany } from "./actions.js";
import { set, state } from "./state.js";

/** Give an interaction, or put it to those that wait if Shift is held or collecting is on. */
export function offer(interaction, event) {
  if (state.queueing || event?.shiftKey) set({ queue: [...state.queue, interaction] });
  else send([interaction]);
}

/** Run all that wait in one turn; with `within`, only those whose points lie there. */
export function run(within = () => true) {
  const [now, later] = [[], []];
  for (const each of state.queue) (pointsOf(each).every(within) ? now : later).push(each);
  set({ queue: later });
  if (now.length) send(now);
}

/** Let go of all that wait. */
export function discard() {
  set({ queue: [] });
}

function send(interactions) {
  const alone = ({ type, positive }) => type === "click" && positive;
  if (state.mode === "object") return void give(interactions);
  const clicks = interactions.filter(alone);
  if (clicks.length) giveMany(clicks);
  for (const each of interactions.filter((one) => !alone(one))) {
    // A squiggle is an object of its own too; what takes away corrects the last one.
    if (each.positive !== false) set({ target: { id: null } });
    give([each]);
  }
}

/** The points of an interaction, as [x, y]. */
export function pointsOf({ type, x, y, points, x0, y0, x1, y1 }) {
  if (type === "click") return [[x, y]];
  if (type === "box") return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  return points;
}
