/** Moves the image, and chooses the object under a tap. */
import { choose } from "../actions.js";
import { objectAt } from "../overlay.js";

export const hand = () => ({
  hint: "Drag to move, click on an object to choose it.",
  keys: "The wheel zooms. Space moves with any tool.",
  tap(point) {
    choose(objectAt(point)?.id ?? null);
  },
});
