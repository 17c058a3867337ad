/** Takes the interaction under the pointer back, whichever it is. */
import { forget } from "../actions.js";
import { chosen, set, state } from "../state.js";
import { nearest } from "../strokes.js";

export const eraser = () => ({
  hint: "Click on a mark of yours to take it back; what came after it is kept.",
  tap(point) {
    const waiting = nearest(state.queue, point);
    if (waiting) return void set({ queue: state.queue.filter((each) => each !== waiting.interaction) });
    const own = chosen();
    const found = own && nearest(own.interactions, point);
    if (found) forget(own.id, found.interaction.id);
  },
});
