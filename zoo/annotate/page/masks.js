/** The masks of objects, fetched when they are first looked at and when the object changed. */
import * as api from "./api.js";
import { path, trace } from "./outline.js";

const AT_ONCE = 4;
const MOST = 3000; // masks kept; those not drawn for longest go first
const entries = new Map(); // id -> {key, path, wanted, loading}
const waiting = [];
let loading = 0;
let arrived = () => {};
let heat = { key: "" };

/** Begin; `redraw` is called when a mask came, or is to be asked for again. */
export function begin(redraw) {
  arrived = redraw;
}

/** What a mask depends on; another key means that it has to be fetched again. */
const keyOf = ({ id, revision, threshold }) => `${id} ${revision} ${threshold}`;

/** The lines around an object in pixels of its mask, as they were last known; null: not known yet. */
export function outline(object) {
  const entry = entries.get(object.id) ?? {};
  entries.delete(object.id); // to the end: drawn last
  entries.set(object.id, entry);
  const key = keyOf(object);
  if (entry.key !== key && entry.wanted !== key) {
    entry.wanted = key;
    waiting.push([object, entry]);
    go();
  }
  return entry.path ?? null;
}

/** The lines around an object if they were ever drawn. */
export function known(id) {
  return entries.get(id)?.path ?? null;
}

/** Whether what is drawn of an object is its newest mask. */
export function isNewest(object) {
  return entries.get(object.id)?.key === keyOf(object);
}

function go() {
  while (loading < AT_ONCE && waiting.length) {
    const [object, entry] = waiting.pop(); // the newest first
    loading++;
    load(object, entry).finally(() => {
      loading--;
      go();
    });
  }
}

async function load(object, entry) {
  const key = keyOf(object);
  if (entry.wanted !== key) return;
  try {
    const part = extent(object);
    const { values, width, height } = part ? await grey(object.id, "mask", part) : { values: [], width: 0, height: 0 };
    if (entry.wanted !== key) return; // it changed meanwhile: the next one is on its way
    entry.path = path(trace(values, width, height), part?.[0], part?.[1]);
    entry.key = key;
    for (const id of entries.keys()) {
      if (entries.size <= MOST) break;
      entries.delete(id);
    }
    arrived(object);
  } catch {
    // Deleted meanwhile, or the server is away: what is drawn stays, and what is still in view is asked for again.
    setTimeout(() => {
      if (entry.wanted === key) entry.wanted = null;
      arrived(object);
    }, 2000);
  }
}

/** Where the mask lies in its picture, as x, y, width and height; null: it is empty. */
function extent({ bounds, region, size: [height, width] }) {
  if (!bounds) return null;
  const [across, down] = [width / region[2], height / region[3]];
  const x0 = Math.max(0, Math.floor((bounds[0] - region[0]) * across));
  const y0 = Math.max(0, Math.floor((bounds[1] - region[1]) * down));
  const x1 = Math.min(width, Math.ceil((bounds[0] + bounds[2] - region[0]) * across));
  const y1 = Math.min(height, Math.ceil((bounds[1] + bounds[3] - region[1]) * down));
  return [x0, y0, Math.max(1, x1 - x0), Math.max(1, y1 - y0)];
}

/** A grey picture of the server, or a part of it, as numbers, row by row. */
async function grey(id, kind, part = []) {
  const { blob } = await api.mask(id, kind);
  const bitmap = await createImageBitmap(blob, ...part);
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = data[4 * i];
  return { values, width, height };
}

/** The probability of one object as a picture in colours; null: not there yet. */
export function probability(object) {
  const key = keyOf(object);
  if (heat.key !== key && heat.wanted !== key) {
    heat.wanted = key;
    colour(object, key).catch(() => {
      setTimeout(() => {
        if (heat.wanted === key) heat.wanted = null;
        arrived(object);
      }, 2000);
    });
  }
  return heat.id === object.id ? heat.canvas : null;
}

async function colour(object, key) {
  const { values, width, height } = await grey(object.id, "probability");
  if (heat.wanted !== key) return;
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  for (let i = 0; i < values.length; i++) image.data.set(RAMP[values[i]], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  heat = { key, wanted: key, id: object.id, canvas };
  arrived(object);
}

/** From nothing to sure: clear, blue, green, yellow; told apart by the colour-blind too. The panel's scale is the same. */
const STOPS = [[0, 68, 1, 84, 0], [40, 64, 67, 135, 90], [110, 41, 120, 142, 170], [190, 53, 183, 121, 200], [255, 253, 231, 37, 220]];
const RAMP = Array.from({ length: 256 }, (_, value) => {
  const i = Math.max(1, STOPS.findIndex(([at]) => at >= value));
  const [[a, ...from], [b, ...to]] = [STOPS[i - 1], STOPS[i]];
  return from.map((v, k) => Math.round(v + ((to[k] - v) * (value - a)) / (b - a)));
});
