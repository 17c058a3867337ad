/** Clicks: a tap; dragging moves the image. The right button and Alt give the other kind. */
import { offer } from "../queue.js";

export const click = (positive) => ({
  hint: positive
    ? "Click in the object; right button: outside. Shift collects, Enter runs."
    : "Click where the mask goes too far; right button: in the object. Shift collects.",
  tap([x, y], event) {
    offer({ type: "click", x, y, positive: positive !== (event.button === 2 || event.altKey) }, event);
  },
});
