/** Mouse, pen and fingers on the image: to the tool, or to OpenSeadragon to move and zoom. */
import { hover, redraw } from "./marks.js";
import * as notice from "./notice.js";
import { state } from "./state.js";
import { refusal, tool } from "./tools/index.js";
import { toImage } from "./viewer.js";

let stroke = null; // the tool that is drawing
let moving = false; // Space is held: the image moves whatever the tool is

/** Hold or let go of the image. */
export function hold(whether) {
  moving = whether;
  document.body.classList.toggle("moving", whether);
}

/** Begin to listen to what OpenSeadragon hears. */
export function begin(viewer) {
  viewer.addHandler("canvas-press", ({ position, originalEvent }) => {
    const used = tool();
    stroke = null;
    if (moving || !used.begin || !state.image || !free(used, originalEvent.pointerType)) return;
    if (refusal(used)) return void notice.show(refusal(used), { kind: "note", seconds: 8 });
    stroke = used;
    stroke.begin(toImage(position), originalEvent);
    redraw();
  });
  viewer.addHandler("canvas-drag", (event) => {
    if (!stroke) return;
    event.preventDefaultAction = true;
    stroke.move(toImage(event.position));
    redraw();
  });
  viewer.addHandler("canvas-release", ({ position, originalEvent }) => {
    const used = stroke;
    stroke = null;
    if (!used) return;
    used.move(toImage(position));
    used.end(originalEvent);
    redraw();
  });
  viewer.addHandler("canvas-click", ({ quick, position, originalEvent }) => quick && tap(position, originalEvent));
  viewer.addHandler("canvas-nonprimary-release", ({ button, position, originalEvent }) => {
    if (button === 2) tap(position, originalEvent);
  });
  viewer.addHandler("canvas-pinch", cancel); // the first of two fingers had begun to draw
  viewer.element.addEventListener("pointercancel", cancel); // the system took the pointer, for a gesture of its own
  viewer.element.addEventListener("contextmenu", (event) => event.preventDefault());
  viewer.element.addEventListener("pointermove", ({ clientX, clientY, pointerType }) => {
    const { left, top } = viewer.element.getBoundingClientRect();
    hover(pointerType === "touch" ? null : { x: clientX - left, y: clientY - top });
  });
  viewer.element.addEventListener("pointerleave", () => hover(null));
}

/** Let go of what is being drawn. */
function cancel() {
  stroke?.cancel();
  stroke = null;
  redraw();
}

/** With a pen at hand, fingers move the image. */
let pen = false;
function free(used, pointerType) {
  pen ||= pointerType === "pen";
  return !(pen && pointerType === "touch");
}

function tap(position, event) {
  const used = tool();
  if (moving || !used.tap || !state.image || !free(used, event.pointerType)) return;
  const point = toImage(position);
  const { width, height } = state.image;
  if (point[0] < 0 || point[1] < 0 || point[0] > width || point[1] > height) return;
  if (refusal(used)) return void notice.show(refusal(used), { kind: "note", seconds: 8 });
  used.tap(point, event);
}
