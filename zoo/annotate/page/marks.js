/** The canvas with interactions, what is being drawn, and the ring of the brush: over the masks. */
import { redrawing } from "./dom.js";
import { clear } from "./overlay.js";
import { chosen, on, state } from "./state.js";
import { mark } from "./strokes.js";
import { refusal, tool } from "./tools/index.js";
import { frame } from "./viewer.js";

let canvas = null;
let pointer = null; // where the mouse is, in CSS pixels of the viewer
let lit = null; // the id of the interaction that the panel points at

/** Begin to draw on the canvas, and again whenever something changed. */
export function begin(element) {
  canvas = element;
  on(["objects", "target", "queue", "tool", "width", "concealed"], redraw);
}

/** Draw before the next picture of the screen. */
export const redraw = redrawing(draw);

/** The mouse is here now; null: it left. */
export function hover(at) {
  pointer = at;
  if (tool().brush) redraw();
}

/** Draw the interaction of the chosen object with this id larger; null: none. */
export function light(id) {
  lit = id;
  redraw();
}

function draw() {
  const { context } = clear(canvas);
  const at = frame();
  if (!at || !state.image) return;
  const own = chosen();
  if (own && !state.concealed) {
    for (const each of own.interactions) mark(context, each, at, { lit: each.id === lit });
    const edit = own.edits.find(({ id }) => id === lit);
    if (edit) mark(context, { type: "edit", ...edit }, at);
  }
  for (const each of state.queue) mark(context, each, at, { waiting: true });
  const used = tool();
  used.draw?.(context, at);
  if (used.brush && pointer && !refusal(used)) ring(context);
}

function ring(context) {
  context.beginPath();
  context.arc(pointer.x, pointer.y, Math.max(1, state.width / 2), 0, 2 * Math.PI);
  for (const [colour, width] of [["rgba(255, 255, 255, .9)", 3], ["rgba(0, 0, 0, .7)", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}
