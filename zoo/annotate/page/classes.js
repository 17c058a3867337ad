/** Classes and their colours: the server's, those of the objects, and those added here. */
import { on, read, set, state, write } from "./state.js";

const ADDED = "isegzoo.classes";
const COLOURS = ["#2a9d8f", "#e07a1f", "#4a6fe3", "#c2409b", "#7a9a01", "#b5483a", "#00a0c6", "#8a63c9", "#c79a00", "#5b6b7a"];
const PLAIN = "#2a9d8f";
let colours = new Map();

/** Begin; called when the server's classes are known. */
export function begin() {
  on(["objects"], () => {
    for (const { class: name } of state.objects.values()) if (name && !colours.has(name)) return gather();
  });
  gather();
}

function gather() {
  const added = read(ADDED, []);
  const named = [...state.objects.values()].map(({ class: name }) => ({ name }));
  colours = new Map();
  for (const { name, colour } of [...added, ...(state.about?.classes ?? []), ...named]) {
    if (name && !colours.has(name)) colours.set(name, colour ?? null);
  }
  [...colours].forEach(([name, colour], i) => colour || colours.set(name, COLOURS[i % COLOURS.length]));
  const klass = colours.has(state.klass) ? state.klass : ([...colours.keys()][0] ?? null);
  set({ classes: [...colours].map(([name, colour]) => ({ name, colour })), klass });
}

/** The colour of a class as #rrggbb. */
export function colourOf(name) {
  return colours.get(name) ?? PLAIN;
}

/** Add a class, or give one another colour. */
export function put(name, colour) {
  const others = read(ADDED, []).filter((each) => each.name !== name);
  const next = COLOURS.find((each) => ![...colours.values()].includes(each)) ?? COLOURS[others.length % COLOURS.length];
  write(ADDED, [...others, { name, colour: colour ?? colours.get(name) ?? next }]);
  gather();
}
