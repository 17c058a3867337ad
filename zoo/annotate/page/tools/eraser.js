/** Takes the interaction under the pointer back, whichever it is. */
import { forget } from "../actions.js";
import { set, shown, state } from "../state.js";
import { nearest } from "../strokes.js";

export const eraser = () => ({
  hint: "Click on a mark of yours to take it back; what came after it is kept.",
  tap(point) {
    const waiting = nearest(state.queue, point);
    if (waiting) return void set({ queue: state.queue.filter((each) => each !== waiting.interaction) });
    const found = shown()
      .filter(({ id }) => id === state.target.id)
      .map((object) => [object, nearest(object.interactions, point)])
      .filter(([, hit]) => hit)
      .sort(([, a], [, b]) => a.distance - b.distance)[0];
    if (found) forget(found[0].id, found[1].interaction.id);
  },
});
