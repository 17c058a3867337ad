/** The canvas with the masks, over the image. */
import { colourOf } from "./classes.js";
import { redrawing } from "./dom.js";
import * as masks from "./masks.js";
import { chosen, on, state } from "./state.js";
import { frame } from "./viewer.js";

const LEAST = 3; // an object of fewer pixels of the screen is drawn as a dot
const measures = []; // of updates whose mask is not on the screen yet

let canvas = null;
let parents = new Set(); // ids of those that others refine, which are drawn as outlines

/** Begin to draw on the canvas, and again whenever something changed. */
export function begin(element) {
  canvas = element;
  masks.begin(redraw);
  on(["objects", "target", "style", "opacity", "heat", "concealed", "classes", "theme"], redraw);
}

/** Draw before the next picture of the screen. */
export const redraw = redrawing(draw);

/** Measure the time from `start` until the mask of this object is on the screen. */
export function measure(start, object) {
  masks.outline(object); // asked for at once, not only when it is drawn
  measures.push({ start, object });
}

/** A canvas as sharp as the screen; its context counts in CSS pixels. */
export function clear(element) {
  const { clientWidth: width, clientHeight: height } = element;
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (element.width !== w || element.height !== h) [element.width, element.height] = [w, h];
  const context = element.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function draw() {
  const { context, width, height } = clear(canvas);
  const at = frame();
  if (!at || !state.image) return;
  const own = chosen();
  parents = new Set([...state.objects.values()].map(({ parent }) => parent));
  for (const object of state.objects.values()) {
    if (object !== own && inView(object, at, width, height)) one(context, object, at, false);
  }
  if (own) {
    region(context, own, at);
    if (state.heat && !state.concealed) warmth(context, own, at);
    one(context, own, at, true);
  }
  tell();
}

/** The box of an object's mask on the screen, as [x0, y0, x1, y1]. */
function extent({ bounds, region: whole }, { scale, x, y }) {
  const [x0, y0, w, h] = bounds ?? whole;
  return [x0 * scale + x, y0 * scale + y, (x0 + w) * scale + x, (y0 + h) * scale + y];
}

function inView(object, at, width, height) {
  if (!object.bounds) return false;
  const [x0, y0, x1, y1] = extent(object, at);
  return x1 > 0 && y1 > 0 && x0 < width && y0 < height;
}

function one(context, object, at, own) {
  const colour = colourOf(object.class);
  const [x0, y0, x1, y1] = extent(object, at);
  if (!own && Math.max(x1 - x0, y1 - y0) < LEAST) {
    context.fillStyle = colour;
    if (!state.concealed) context.fillRect((x0 + x1) / 2 - 1, (y0 + y1) / 2 - 1, 2, 2);
    return;
  }
  const outline = masks.outline(object);
  if (!outline || state.concealed) return;
  const [x, y, w, h] = object.region;
  const scale = (at.scale * w) / object.size[1]; // pixels of the screen a pixel of the mask
  context.save();
  context.translate(x * at.scale + at.x, y * at.scale + at.y);
  context.scale(scale, (at.scale * h) / object.size[0]);
  if (state.style === "fill" && !(own && state.heat) && !parents.has(object.id)) {
    context.globalAlpha = state.opacity;
    context.fillStyle = colour;
    context.fill(outline, "evenodd");
  }
  context.lineJoin = "round";
  context.globalAlpha = Math.min(1, state.opacity + 0.45);
  if (own) {
    context.globalAlpha = Math.min(1, context.globalAlpha + 0.2);
    context.strokeStyle = "rgba(255, 255, 255, .85)";
    context.lineWidth = 4 / scale;
    context.stroke(outline);
  }
  context.strokeStyle = colour;
  context.lineWidth = (own ? 2.2 : state.style === "fill" ? 1.5 : 2) / scale;
  context.stroke(outline);
  context.restore();
}

/** The newest object under a point of the image, or undefined. */
export function objectAt([x, y]) {
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  return [...state.objects.values()].reverse().find(({ id, bounds, region: [left, top, w, h], size }) => {
    if (!bounds || x < bounds[0] || y < bounds[1] || x > bounds[0] + bounds[2] || y > bounds[1] + bounds[3]) return false;
    const outline = masks.known(id);
    return outline && context.isPointInPath(outline, ((x - left) * size[1]) / w, ((y - top) * size[0]) / h, "evenodd");
  });
}

/** Where the chosen object is worked on; drawn only where that is a part of the image. */
function region(context, { region: [x, y, width, height] }, at) {
  if (width >= state.image.width && height >= state.image.height) return;
  const box = [x * at.scale + at.x, y * at.scale + at.y, width * at.scale, height * at.scale];
  for (const [colour, offset] of [["rgba(0, 0, 0, .45)", 0], ["rgba(255, 255, 255, .9)", 5]]) {
    context.setLineDash([5, 5]);
    context.lineDashOffset = offset;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.strokeRect(...box);
  }
  context.setLineDash([]);
}

function warmth(context, object, at) {
  const picture = masks.probability(object);
  if (!picture) return;
  const [x, y, width, height] = object.region;
  context.globalAlpha = Math.min(1, state.opacity + 0.4);
  context.drawImage(picture, x * at.scale + at.x, y * at.scale + at.y, width * at.scale, height * at.scale);
  context.globalAlpha = 1;
}

/** Put down how long the updates took whose masks were just drawn. */
function tell() {
  for (let i = measures.length; i--; ) {
    const { start, object } = measures[i];
    if (state.objects.get(object.id)?.revision !== object.revision) measures.splice(i, 1);
    else if (masks.isNewest(object)) {
      measures.splice(i, 1);
      performance.measure("mask on screen", { start, detail: { id: object.id, milliseconds: object.milliseconds } });
    }
  }
}
