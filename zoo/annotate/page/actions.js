/** What a person does to objects: each a call of the server, whose answer becomes the page's state. */
import * as api from "./api.js";
import { clamped, inBox, meets, pointsOf } from "./geometry.js";
import * as notice from "./notice.js";
import { measure } from "./overlay.js";
import * as resolution from "./resolution.js";
import { chosen, set, state, whole } from "./state.js";
import * as sync from "./sync.js";
import { inTurn } from "./turns.js";
import { visible } from "./viewer.js";

const WHOLE = 2048 * 2048; // pixels of an image that is worked on whole; of larger ones, the part in view
const MOST = 4000 * 4000; // pixels that a checkpoint is shown at once; the server's limit is a little higher
const UNDO_SECONDS = 10;
const PART = "the dashed part in which this object is worked on";
const OUTSIDE = `That lies outside ${PART}`;

/**
 * Take objects from the server into the state; `target` is chosen if it is still what the person works on, and `events`
 * is how many there were in all.
 */
function put(given, target, events = 1) {
  const objects = given.filter(({ image }) => image === state.image.image); // another one may have been opened meanwhile
  const all = new Map(state.objects);
  for (const object of objects) all.set(object.id, object);
  if (objects.length) sync.mine(objects.at(-1).revision, events);
  if (target && given.length) target.id = given.at(-1).id;
  set({ objects: all, target: state.target });
}

/**
 * Where a new object is worked on: undefined for all of a small image; of a large one the part in view, if it is not too
 * large for the checkpoint, and what was said elsewhere.
 */
function place(points = []) {
  const { image } = state;
  if (image.width * image.height <= WHOLE) return undefined;
  const view = visible(image) ?? whole();
  const most = Math.sqrt(MOST) * seen();
  const given = points.map((point) => clamped(point, whole()));
  const span = [0, 1].map((axis) => {
    const [at, length] = [view[axis], view[axis + 2]];
    const values = given.map((point) => point[axis]);
    const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [at + length / 2, at + length / 2];
    const side = view[2] * view[3] > most ** 2 ? Math.min(length, most) : length;
    const start = Math.min(Math.max(at, (low + high - side) / 2), at + length - side);
    return [Math.floor(Math.min(start, low)), Math.ceil(Math.max(start + side, high))];
  });
  const [[x0, x1], [y0, y1]] = span;
  return [x0, y0, x1 - x0, y1 - y0];
}

/** Pixels of the image that are one as the checkpoint sees it, a side. */
function seen() {
  const model = state.about?.checkpoints.find(({ name }) => name === state.checkpoint);
  const mpp = resolution.known();
  return model?.mpp && mpp ? model.mpp / mpp : 1;
}

/** What every new object has. */
function begun() {
  const { image, checkpoint, klass } = state;
  const mpp = image.mpp ? undefined : (resolution.typed() ?? undefined);
  return { image: image.image, checkpoint, class: klass ?? undefined, mpp };
}

/** The id of the object that something is for when its turn comes; null: a new one, also where it was deleted meanwhile. */
function still(target, { image }) {
  return state.image.image === image && !state.objects.has(target.id) ? null : target.id;
}

/** Whether an interaction belongs to what is worked on in a box: a line where it begins, a box as a whole. */
function begins({ x, y, x0, y0, x1, y1, points }, region) {
  if (x0 !== undefined) return inBox([x0, y0], region) && inBox([x1, y1], region);
  return inBox(points?.[0] ?? [x, y], region);
}

/** A line with what leaves a box brought to its edge; the rest as it is. */
function clipped(each, region) {
  return each.points ? { ...each, points: each.points.map((point) => clamped(point, region)) } : each;
}

/** Do some work in its turn, after which undoing no longer brings back what was deleted before. */
function work(task) {
  set({ deleted: [] });
  return inTurn(task);
}

/** Give interactions in one turn: to the chosen object, or to a new one. Resolves to whether they were taken. */
export function give(interactions) {
  const start = performance.now();
  let { target } = state;
  const known = state.objects.get(target.id);
  if (known && !begins(interactions[0], known.region)) {
    if (interactions[0].positive === false) {
      notice.show(`${OUTSIDE}; nothing can be taken away there.`, { kind: "note", seconds: 8 });
      return true; // it says nothing
    }
    set({ target: (target = { id: null }) }); // another place, so another object
  }
  const made = { ...begun(), region: place(interactions.flatMap(pointsOf)) };
  const all = whole();
  return work(async () => {
    const id = still(target, made);
    const { region } = state.objects.get(id) ?? known ?? made;
    const given = interactions.map((each) => clipped(each, region ?? all));
    const object = id ? await api.interact(id, given) : await api.create({ ...made, interactions: given });
    measure(start, object);
    put([object], target, id ? 1 : 2); // one begins, one tells
    return true;
  });
}

/** Begin one object a click, all in one run. Resolves to whether they were taken. */
export function giveMany(clicks) {
  const start = performance.now();
  const { target } = state;
  const made = { ...begun(), clicks: clicks.map(({ x, y }) => [x, y]) };
  return work(async () => {
    const { objects } = await api.many(made);
    if (objects.length) measure(start, objects.at(-1));
    put(objects, target, 2 * objects.length);
    return true;
  });
}

/** Work on an object by a call that answers with it; `call` is given its id. */
function change(call, target = state.target) {
  const start = performance.now();
  if (!target.id && !state.busy) return undefined;
  return work(async () => {
    if (!state.objects.has(target.id)) return;
    const object = await call(target.id);
    measure(start, object);
    put([object]);
  });
}

/** Take back what was done last: a collected interaction, a deletion, or what was said of the chosen object. */
export function undo() {
  const { queue, deleted } = state;
  if (queue.length) return set({ queue: queue.slice(0, -1) });
  if (deleted.length) return restore(deleted.at(-1));
  return change((id) => api.step(id, "undo"));
}

export const redo = () => change((id) => api.step(id, "redo"));
export const reset = () => change((id) => api.step(id, "reset"));
export const threshold = (value, target) => change((id) => api.change(id, { threshold: value }), target);
export const classOf = (name) => change((id) => api.change(id, { class: name }));
export const checkpointOf = (name) => change((id) => api.change(id, { checkpoint: name }));

/** Take one interaction of one object back; what came after it is kept. */
export function forget(id, number) {
  const start = performance.now();
  return work(async () => {
    const object = await api.forget(id, number);
    measure(start, object);
    put([object]);
  });
}

/** Outside of what a drawn line was cut; "": it was not. */
function cut(drawn, all, { region: [x, y, width, height], size }) {
  const pixel = width / size[1]; // of the mask: an image seldom is a whole number of them
  const part = [x, y, width + pixel, height + pixel];
  if (!drawn.every((point) => inBox(clamped(point, all), part))) return PART;
  return drawn.every((point) => inBox(point, all)) ? "" : "the image";
}

/** Add a polygon to the chosen object by hand, or take it away; without an object, adding begins one. */
export function edit(drawn, add) {
  const { target } = state;
  const all = whole();
  const polygon = drawn.map((point) => clamped(point, all));
  const made = { ...begun(), region: place(polygon) };
  if (!target.id && !add) return notice.show("Choose an object to take something away from.", { kind: "note", seconds: 6 });
  const known = state.objects.get(target.id);
  if (known && !meets(polygon, known.region)) {
    return notice.show(`${OUTSIDE}; draw within it, or begin another object (N).`, { kind: "note", seconds: 8 });
  }
  return work(async () => {
    const geometry = { type: "Polygon", coordinates: [[...polygon, polygon[0]]] };
    const id = still(target, made);
    const object = id
      ? await api.edit(id, polygon, add)
      : await api.create({ ...made, geometry });
    put([object], target);
    const outside = cut(drawn, all, object);
    if (outside) notice.show(`What was drawn outside ${outside} is left out.`, { kind: "note", seconds: 6 });
  });
}

/** Go on in the part in view, at its own magnification: a child of the chosen object. */
export function child() {
  const parent = chosen();
  const region = parent && visible(state.image);
  if (!region) return undefined;
  const target = { id: null };
  set({ target });
  const made = { ...begun(), class: parent.class ?? undefined, region, parent: parent.id };
  return work(async () => put([await api.create(made)], target));
}

/** Choose an object; null: the next interaction begins a new one. */
export function choose(id) {
  set({ target: { id }, ...(id ? { deleted: [] } : {}) });
}

/** Bring back an object that was deleted. */
function restore(id) {
  notice.hide(); // which offers the same
  set({ deleted: state.deleted.filter((each) => each !== id) });
  return inTurn(async () => put([await api.step(id, "restore")], state.target));
}

/** Delete an object; it can be had back. */
export async function remove(id = state.target.id) {
  if (!id) return;
  if (state.target.id === id) choose(null);
  set({ deleted: [...state.deleted, id] });
  const gone = await inTurn(async () => {
    const { revision } = await api.remove(id);
    if (state.objects.has(id)) sync.mine(revision);
    const all = new Map(state.objects);
    all.delete(id);
    set({ objects: all });
    notice.show("The object is deleted.", { kind: "note", action: "Bring it back", act: () => restore(id), seconds: UNDO_SECONDS });
    return true;
  });
  if (!gone) set({ deleted: state.deleted.filter((each) => each !== id) });
}

/** Polygons of a GeoJSON FeatureCollection become objects that can be corrected. */
export const bring = (geojson) => taken((made) => api.bring({ ...made, geojson }));

/** So do the numbers, or colours, of a label image. */
export const bringLabels = (file) => taken((made) => api.bringLabels(made, file));

function taken(call) {
  const made = begun();
  return work(async () => {
    const { objects } = await call(made);
    put(objects, undefined, objects.length);
    notice.show(`${objects.length} ${objects.length === 1 ? "object" : "objects"} imported.`, { kind: "note", seconds: 6 });
  });
}
