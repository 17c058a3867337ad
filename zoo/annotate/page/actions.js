/** What a person does to objects: each a call of the server, whose answer becomes the page's state. */
import * as api from "./api.js";
import * as notice from "./notice.js";
import { measure } from "./overlay.js";
import { chosen, read, set, state } from "./state.js";
import * as sync from "./sync.js";
import { inTurn } from "./turns.js";
import { visible } from "./viewer.js";

const WHOLE = 2048 * 2048; // pixels of an image that is worked on whole; of larger ones, the part in view
const UNDO_SECONDS = 10;

/** Take objects from the server into the state; `target` is chosen if it is still what the person works on. */
function put(objects, target) {
  const all = new Map(state.objects);
  for (const object of objects) all.set(object.id, object);
  if (objects.length) sync.mine(objects.at(-1).revision);
  if (target && objects.length) target.id = objects.at(-1).id;
  set({ objects: all, target: state.target });
}

/** Where a new object is worked on: undefined for the whole of one that is not large. */
function place() {
  const { image } = state;
  return image.width * image.height <= WHOLE ? undefined : (visible(image) ?? undefined);
}

/** What every new object has. */
function begun() {
  const { image, checkpoint, klass } = state;
  const mpp = image.mpp ? undefined : read(`isegzoo.mpp ${image.image}`, undefined);
  return { image: image.image, checkpoint, class: klass ?? undefined, mpp };
}

/** Whether an interaction begins in a box. */
function begins({ x, y, x0, y0, points }, [left, top, width, height]) {
  const [u, v] = points?.[0] ?? [x ?? x0, y ?? y0];
  return u >= left && v >= top && u <= left + width && v <= top + height;
}

/** An interaction with what leaves a box brought to its edge. */
function clipped(each, [left, top, width, height]) {
  const [u, v] = [(x) => Math.min(Math.max(x, left), left + width), (y) => Math.min(Math.max(y, top), top + height)];
  const { x, y, x0, y0, x1, y1, points } = each;
  if (points) return { ...each, points: points.map(([a, b]) => [u(a), v(b)]) };
  return x0 === undefined ? { ...each, x: u(x), y: v(y) } : { ...each, x0: u(x0), y0: v(y0), x1: u(x1), y1: v(y1) };
}

/** Give interactions in one turn: to the chosen object, or to a new one. */
export function give(interactions) {
  const start = performance.now();
  let { target } = state;
  const known = state.objects.get(target.id);
  if (known && !begins(interactions[0], known.region)) {
    if (interactions[0].positive === false) {
      return notice.show("That lies outside the dashed part in which this object is worked on; nothing can be taken away there.", { kind: "note", seconds: 8 });
    }
    set({ target: (target = { id: null }) }); // another place, so another object
  }
  const region = place();
  return inTurn(async () => {
    const old = state.objects.get(target.id);
    const whole = [0, 0, state.image.width, state.image.height];
    const given = interactions.map((each) => clipped(each, old?.region ?? region ?? whole));
    const object = old
      ? await api.interact(old.id, given)
      : await api.create({ ...begun(), region, interactions: given });
    measure(start, object);
    put([object], target);
  });
}

/** Begin one object a click, all in one run. */
export function giveMany(clicks) {
  const start = performance.now();
  const { target } = state;
  return inTurn(async () => {
    const { objects } = await api.many({ ...begun(), clicks: clicks.map(({ x, y }) => [x, y]) });
    if (objects.length) measure(start, objects.at(-1));
    put(objects, target);
  });
}

/** Work on the chosen object by a call that answers with it; `call` is given its id. */
function change(call) {
  const start = performance.now();
  const { target } = state;
  if (!target.id && !state.busy) return undefined;
  return inTurn(async () => {
    if (!state.objects.has(target.id)) return;
    const object = await call(target.id);
    measure(start, object);
    put([object]);
  });
}

export const undo = () => change((id) => api.step(id, "undo"));
export const redo = () => change((id) => api.step(id, "redo"));
export const reset = () => change((id) => api.step(id, "reset"));
export const threshold = (value) => change((id) => api.change(id, { threshold: value }));
export const classOf = (name) => change((id) => api.change(id, { class: name }));
export const checkpointOf = (name) => change((id) => api.change(id, { checkpoint: name }));

/** Take one interaction of one object back; what came after it is kept. */
export function forget(id, number) {
  const start = performance.now();
  return inTurn(async () => {
    const object = await api.forget(id, number);
    measure(start, object);
    put([object]);
  });
}

/** Add a polygon to the chosen object by hand, or take it away; without an object, adding begins one. */
export function edit(polygon, add) {
  const { target } = state;
  const region = place();
  if (!target.id && !add) return notice.show("Choose an object to take something away from.", { kind: "note", seconds: 6 });
  return inTurn(async () => {
    const geometry = { type: "Polygon", coordinates: [[...polygon, polygon[0]]] };
    const object = state.objects.has(target.id)
      ? await api.edit(target.id, polygon, add)
      : await api.create({ ...begun(), region, geometry });
    put([object], target);
  });
}

/** Go on in the part in view, at its own magnification: a child of the chosen object. */
export function child() {
  const parent = chosen();
  const region = parent && visible(state.image);
  if (!region) return undefined;
  const target = { id: null };
  set({ target });
  return inTurn(async () => {
    const made = { ...begun(), class: parent.class ?? undefined, region, parent: parent.id };
    put([await api.create(made)], target);
  });
}

/** Choose an object; null: the next interaction begins a new one. */
export function choose(id) {
  set({ target: { id } });
}

/** Delete an object; it can be had back. */
export function remove(id = state.target.id) {
  if (!id) return;
  if (state.target.id === id) choose(null);
  inTurn(async () => {
    const { revision } = await api.remove(id);
    sync.mine(revision);
    const all = new Map(state.objects);
    all.delete(id);
    set({ objects: all });
    const act = () => inTurn(async () => put([await api.step(id, "restore")], state.target));
    notice.show("The object is deleted.", { kind: "note", action: "Bring it back", act, seconds: UNDO_SECONDS });
  });
}

/** Polygons of a GeoJSON FeatureCollection become objects that can be corrected. */
export function bring(geojson) {
  return inTurn(async () => {
    const { objects } = await api.bring({ ...begun(), geojson });
    put(objects);
    notice.show(`${objects.length} ${objects.length === 1 ? "object" : "objects"} imported.`, { kind: "note", seconds: 6 });
  });
}
