/** What the page knows, in one place: `set` changes it and tells those who look at what changed. */

/** Kept in the browser from one visit to the next. */
const KEPT = ["tool", "mode", "checkpoint", "offered", "klass", "style", "opacity", "width"];
const STORE = "isegzoo.annotate";

export const state = {
  about: null, // of the server: checkpoints, classes
  image: null, // the opened one: {image, kind, width, height, mpp, tile, levels}
  objects: new Map(), // id -> Object of the server, oldest first
  target: { id: null }, // what the next interaction is given to; no id: a new object
  queue: [], // interactions that wait for Enter
  queueing: false,
  deleted: [], // ids of what was deleted last, while nothing else was done
  tool: "click+",
  mode: "object", // or "many": each click an object
  checkpoint: null, // of new objects
  offered: null, // the server's default when it was chosen
  klass: null, // of new objects
  style: "fill", // or "contour"
  opacity: 0.35,
  heat: false,
  concealed: false, // nothing drawn, to see the tissue
  width: 10, // of the brush, in pixels of the screen
  busy: 0, // calls under way
  saved: "", // "", "saving", "saved" or "failed"
  ...read(STORE, {}),
};

const listeners = [];

/** Call `listener` after any of these keys was set. */
export function on(keys, listener) {
  listeners.push([keys, listener]);
}

/** Change some of the state, and tell those who look at it. */
export function set(changes) {
  Object.assign(state, changes);
  const changed = Object.keys(changes);
  if (changed.some((key) => KEPT.includes(key))) {
    write(STORE, Object.fromEntries(KEPT.map((key) => [key, state[key]])));
  }
  for (const [keys, listener] of listeners) {
    if (keys.some((key) => changed.includes(key))) listener();
  }
}

/** The chosen object, or null. */
export function chosen() {
  return state.objects.get(state.target.id) ?? null;
}

/** The opened image as a box. */
export const whole = () => [0, 0, state.image.width, state.image.height];

/** Something kept in this browser, or in this tab; a browser that keeps nothing gives `otherwise`. */
export function read(name, otherwise, where = "localStorage") {
  try {
    return JSON.parse(window[where].getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keep something in this browser, or in this tab, if it lets us. */
export function write(name, value, where = "localStorage") {
  try {
    window[where].setItem(name, JSON.stringify(value));
  } catch {
    // Private windows may forbid it; the page works without.
  }
}
