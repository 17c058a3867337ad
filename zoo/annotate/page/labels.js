/** From a mask or label image to polygons: an object a colour, black is nothing. */
import { area, within } from "./geometry.js";
import { trace } from "./outline.js";

const MOST = 5000; // colours; a photograph has more

/** One number a pixel from its RGBA. */
export function colours(data) {
  const values = new Uint32Array(data.length / 4);
  for (let i = 0; i < values.length; i++) values[i] = (data[4 * i] << 16) | (data[4 * i + 1] << 8) | data[4 * i + 2];
  return values;
}

/** A GeoJSON FeatureCollection of what has the same number, row by row; 0 is nothing. */
export function collection(values, width) {
  const found = boxes(values, width);
  if (!found.size) throw new Error("the mask is all black; give one colour an object.");
  return { type: "FeatureCollection", features: [...found].map(([label, box]) => feature(values, width, label, box)) };
}

/** label -> [x0, y0, x1, y1], the last ones outside. */
function boxes(values, width) {
  const found = new Map();
  for (let i = 0; i < values.length; i++) {
    if (!values[i]) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    const box = found.get(values[i]);
    if (!box) found.set(values[i], [x, y, x + 1, y + 1]);
    else {
      if (x < box[0]) box[0] = x;
      if (x >= box[2]) box[2] = x + 1;
      box[3] = y + 1;
    }
    if (found.size > MOST) throw new Error(`the mask has more than ${MOST} colours; give one colour an object, and black for nothing.`);
  }
  return found;
}

function feature(values, width, label, [x0, y0, x1, y1]) {
  const [w, h] = [x1 - x0, y1 - y0];
  const own = new Uint8Array(w * h);
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) own[y * w + x] = values[(y + y0) * width + x + x0] === label ? 255 : 0;
  const rings = trace(own, w, h).map((line) => ring(line, x0, y0));
  const parts = rings.filter((each) => area(each) < 0).map((outer) => [outer]);
  for (const hole of rings.filter((each) => area(each) > 0)) {
    (parts.find(([outer]) => within(outer, hole[0])) ?? parts[0]).push(hole);
  }
  return { type: "Feature", properties: {}, geometry: { type: "MultiPolygon", coordinates: parts } };
}

function ring(line, x0, y0) {
  const points = [];
  for (let i = 0; i < line.length; i += 2) points.push([line[i] + x0, line[i + 1] + y0]);
  return [...points, points[0]];
}
