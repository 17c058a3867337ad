/** Clicks: a tap; dragging moves the image. The right button and Alt give the other kind. */
import { offer } from "../queue.js";

export const click = (positive) => ({
  hint: positive
    ? "Click in the object. Right button: outside of it. Shift: collect, Enter: run."
    : "Click where the mask goes too far. Right button: in the object. Shift: collect, Enter: run.",
  tap([x, y], event) {
    offer({ type: "click", x, y, positive: positive !== (event.button === 2 || event.altKey) }, event);
  },
});
