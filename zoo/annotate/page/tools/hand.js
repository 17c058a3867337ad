/** Moves the image, and chooses the object under a tap. */
import { choose } from "../actions.js";
import { objectAt } from "../overlay.js";

export const hand = () => ({
  hint: "Drag to move, wheel or two fingers to zoom. Click on an object to choose it. Space moves with any tool.",
  tap(point) {
    choose(objectAt(point)?.id ?? null);
  },
});
