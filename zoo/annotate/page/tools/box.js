/** A box around the object; where each click is an object, it runs the clicks inside that were collected. */
import { clamped } from "../geometry.js";
import { around, offer, run } from "../queue.js";
import { whole } from "../state.js";
import { frame, toScreen } from "../viewer.js";

const LEAST = 4; // pixels of the screen

export const box = () => {
  let from = null;
  let to = null;
  const corners = () => [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
  return {
    hint: "Drag a box around the object.",
    hintMany: "Drag a box around collected clicks to run them.",
    begin(point) {
      from = to = point;
    },
    move(point) {
      to = point;
    },
    end(event) {
      if (!from) return;
      [from, to] = [clamped(from, whole()), clamped(to, whole())];
      const [x0, y0, x1, y1] = corners();
      from = null;
      if (Math.min(x1 - x0, y1 - y0) * frame().scale < LEAST) return;
      if (around()) run(([x, y]) => x >= x0 && x <= x1 && y >= y0 && y <= y1);
      else offer({ type: "box", x0, y0, x1, y1 }, event);
    },
    cancel() {
      from = null;
    },
    draw(context, at) {
      if (!from) return;
      const [x0, y0, x1, y1] = corners();
      const [[left, top], [right, bottom]] = [toScreen([x0, y0], at), toScreen([x1, y1], at)];
      context.strokeStyle = "#fff";
      context.lineWidth = 3;
      context.strokeRect(left, top, right - left, bottom - top);
      context.strokeStyle = "#1d4ed8";
      context.lineWidth = 1.5;
      context.strokeRect(left, top, right - left, bottom - top);
    },
  };
};
