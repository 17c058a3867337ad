/** Points and polygons, as lists of [x, y], and boxes [x, y, width, height]. */

/** Whether a point lies in a polygon, by the crossings of a ray. */
export function within(polygon, [x, y]) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[x0, y0], [x1, y1]] = [polygon[i], polygon[j]];
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  }
  return inside;
}

/** Whether a point lies in a box [x, y, width, height]. */
export const inBox = ([x, y], [left, top, width, height]) => x >= left && y >= top && x <= left + width && y <= top + height;

/** Whether the box around points has a part in another box. */
export function meets(points, [left, top, width, height]) {
  const [x, y] = [0, 1].map((axis) => points.map((point) => point[axis]));
  return Math.max(...x) > left && Math.min(...x) < left + width && Math.max(...y) > top && Math.min(...y) < top + height;
}

/** The nearest point in a box. */
export function clamped([x, y], [left, top, width, height]) {
  return [Math.min(Math.max(x, left), left + width), Math.min(Math.max(y, top), top + height)];
}

/** How far a point is from the line between two others. */
export function fromLine([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const share = Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - x0 - share * dx, y - y0 - share * dy);
}

/** The points of an interaction, as [x, y]. */
export function pointsOf({ type, x, y, points, x0, y0, x1, y1 }) {
  if (type === "click") return [[x, y]];
  if (type === "box") return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  return points;
}
