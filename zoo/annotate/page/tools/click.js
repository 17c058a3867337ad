/** Clicks: a tap; dragging moves the image. The right button and Alt give the other kind. */
import { offer } from "../queue.js";

export const click = (positive) => ({
  hint: positive ? "Click in the object." : "Click where the mask goes too far.",
  keys: `Right button: ${positive ? "outside" : "in the object"}. Shift collects, Enter runs.`,
  tap([x, y], event) {
    offer({ type: "click", x, y, positive: positive !== (event.button === 2 || event.altKey) }, event);
  },
});
