/** How interactions are drawn, and which lies under a point. */
import { fromLine, pointsOf } from "./geometry.js";
import { frame, toScreen } from "./viewer.js";

export const POSITIVE = "#14825a";
export const NEGATIVE = "#be3228";
const BOX = "#1d4ed8";
const REACH = 12; // pixels of the screen

/** Draw an interaction; one that waits is hollow, one that is pointed at larger. */
export function mark(context, each, at, { waiting = false, lit = false } = {}) {
  if (each.type === "click") dot(context, each, toScreen([each.x, each.y], at), waiting, lit);
  else if (each.type === "scribble") strokeOf(context, each, at, toScreen, waiting, lit);
  else if (each.type === "box") frameOf(context, each, at, waiting, lit);
  else if (each.type === "edit") lassoOf(context, each, at);
}

function dot(context, { positive }, [x, y], waiting, lit) {
  const colour = positive ? POSITIVE : NEGATIVE;
  const radius = lit ? 9 : 6.5;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = waiting ? "#fff" : colour;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = waiting ? colour : "#fff";
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3.2, y);
  context.lineTo(x + 3.2, y);
  if (positive) {
    context.moveTo(x, y - 3.2);
    context.lineTo(x, y + 3.2);
  }
  context.lineWidth = 1.6;
  context.stroke();
}

/** Draw a scribble as wide as it is. */
export function strokeOf(context, { points, positive, width }, at, place, waiting = false, lit = false) {
  context.beginPath();
  for (const point of points) context.lineTo(...place(point, at));
  if (points.length === 1) context.lineTo(...place(points[0], at));
  context.lineCap = context.lineJoin = "round";
  const wide = Math.max(2, width * at.scale);
  for (const [colour, line, alpha] of [["#fff", wide + 2, lit ? 0.9 : 0.5], [positive ? POSITIVE : NEGATIVE, wide, waiting ? 0.4 : 0.75]]) {
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Draw what is added or taken away by hand. */
export function lassoOf(context, { polygon, add }, at) {
  context.beginPath();
  for (const point of polygon) context.lineTo(...toScreen(point, at));
  context.closePath();
  context.fillStyle = add ? "rgba(20, 130, 90, .18)" : "rgba(190, 50, 40, .18)";
  context.fill();
  for (const [colour, width] of [["#fff", 3.5], [add ? POSITIVE : NEGATIVE, 1.7]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}

function frameOf(context, { x0, y0, x1, y1 }, at, waiting, lit) {
  const [[left, top], [right, bottom]] = [toScreen([x0, y0], at), toScreen([x1, y1], at)];
  context.setLineDash(waiting ? [6, 4] : []);
  for (const [colour, width] of [["#fff", lit ? 5 : 3], [BOX, lit ? 2.5 : 1.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(left, top, right - left, bottom - top);
  }
  context.setLineDash([]);
}

/** The interaction under a point of the image and how far it is on the screen; null: none in reach. */
export function nearest(interactions, point) {
  const { scale } = frame();
  const found = interactions
    .map((interaction) => ({ interaction, distance: away(interaction, point) * scale, reach: Math.max(REACH, ((interaction.width ?? 0) * scale) / 2) }))
    .filter(({ distance, reach }) => distance <= reach)
    .sort((a, b) => a.distance - b.distance);
  return found[0] ?? null;
}

function away(interaction, point) {
  const points = pointsOf(interaction);
  if (interaction.type === "box") points.push(points[0]);
  if (points.length === 1) return Math.hypot(points[0][0] - point[0], points[0][1] - point[1]);
  return Math.min(...points.slice(1).map((to, i) => fromLine(point, points[i], to)));
}
