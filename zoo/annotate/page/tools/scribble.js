/** A brush: a line as wide as it looks on the screen. */
import { offer } from "../queue.js";
import { state } from "../state.js";
import { frame, toScreen } from "../viewer.js";
import { strokeOf } from "../strokes.js";

const APART = 2; // points closer than this on the screen are one

export const scribble = (positive) => {
  let drawn = null;
  return {
    brush: true,
    hint: positive ? "Draw along the inside of the object." : "Draw over what is not the object.",
    keys: "[ and ]: width.",
    begin(point) {
      drawn = { type: "scribble", points: [point], positive, width: Math.max(1, state.width / frame().scale) };
    },
    move(point) {
      const last = drawn?.points.at(-1);
      if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) * frame().scale >= APART) drawn.points.push(point);
    },
    end(event) {
      if (drawn) offer(drawn, event);
      drawn = null;
    },
    cancel() {
      drawn = null;
    },
    draw(context, at) {
      if (drawn) strokeOf(context, drawn, at, toScreen);
    },
  };
};
