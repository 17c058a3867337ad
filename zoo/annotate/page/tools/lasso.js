/** A line drawn by hand whose inside is added or taken away; around collected clicks it runs them. */
import { edit } from "../actions.js";
import { within } from "../geometry.js";
import { around, run } from "../queue.js";
import { lassoOf } from "../strokes.js";
import { frame } from "../viewer.js";

const APART = 3;

export const lasso = (add) => {
  let line = null;
  return {
    hint: add ? "Draw around what is missing; it is added as drawn." : "Draw around what is too much; it is taken away as drawn.",
    hintMany: "Draw around collected clicks to run them.",
    begin(point) {
      line = [point];
    },
    move(point) {
      const last = line?.at(-1);
      if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) * frame().scale >= APART) line.push(point);
    },
    end() {
      const drawn = line ?? [];
      line = null;
      if (drawn.length < 3) return;
      if (around()) return void run((point) => within(drawn, point));
      edit(drawn, add);
    },
    cancel() {
      line = null;
    },
    draw(context, at) {
      if (line) lassoOf(context, { polygon: line, add }, at);
    },
  };
};
