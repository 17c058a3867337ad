/** The list of objects, and the classes with their colours. */
import * as actions from "./actions.js";
import { colourOf, put } from "./classes.js";
import { by, fill, iconButton, make } from "./dom.js";
import { area } from "./format.js";
import { icon } from "./icons.js";
import { chosen, on, set, state } from "./state.js";
import { fit } from "./viewer.js";

const MOST = 200; // rows; more would make each change slow

/** Begin to show both. */
export function begin() {
  on(["objects", "target", "classes"], list);
  on(["classes", "klass", "target", "objects"], classes);
  by("add-class").addEventListener("submit", (event) => {
    event.preventDefault();
    const input = event.target.querySelector("input");
    const name = input.value.trim();
    if (!name) return;
    put(name);
    input.value = "";
    take(name);
  });
}

/** Use a class from now on, for the chosen object too. */
export function take(name) {
  set({ klass: name });
  if (chosen() && chosen().class !== name) actions.classOf(name);
}

/** Choose the object after (1) or before (-1) the chosen one, and look at it. */
export function step(by) {
  const all = [...state.objects.values()];
  if (!all.length) return;
  const at = all.findIndex(({ id }) => id === state.target.id);
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length];
  look(next);
}

function look(object) {
  actions.choose(object.id);
  if (object.bounds) fit(object.bounds);
}

function list() {
  const all = [...state.objects.values()];
  const numbered = all.map((object, i) => [object, i + 1]).reverse(); // the newest first
  const rows = numbered.slice(0, MOST);
  const own = numbered.find(([{ id }]) => id === state.target.id);
  if (own && !rows.includes(own)) rows.unshift(own);
  const numbers = new Map(numbered.map(([{ id }, number]) => [id, number]));
  const title = ({ class: name, parent }, number) =>
    [numbers.has(parent) ? `${number} in ${numbers.get(parent)}` : number, name].filter(Boolean).join(" · ");
  const shown = ([object, number]) => [object.id, title(object, number), colourOf(object.class), area(object)];
  fill(by("list"), rows, shown, ([object, number]) => row(object, number, title(object, number)), (item, [{ id }]) => {
    const own = id === state.target.id;
    item.classList.toggle("chosen", own);
    item.firstElementChild.setAttribute("aria-current", String(own));
  });
  by("list-title").textContent = all.length ? `Objects: ${all.length}` : "Objects";
  by("more").hidden = all.length > 0 && rows.length >= all.length;
  by("more").textContent = all.length ? `and ${all.length - rows.length} more in the image` : "None yet.";
}

function row(object, number, name) {
  const swatch = make("i", { class: "swatch" });
  swatch.style.background = colourOf(object.class);
  const choose = make(
    "button",
    { type: "button", class: "row quiet", onclick: () => actions.choose(object.id), ondblclick: () => look(state.objects.get(object.id)), title: "Choose; twice: look at it" },
    swatch, make("span", {}, name), make("span", { class: "space" }), make("span", { class: "faint" }, area(object)),
  );
  const item = make("li", {}, choose, iconButton(icon("close"), `Delete object ${number}`, () => actions.remove(object.id)));
  item.dataset.id = object.id;
  return item;
}

function classes() {
  const own = chosen()?.class ?? state.klass;
  const named = (state.classes ?? []).map((each, i) => ({ ...each, key: i < 9 ? `Shift+${i + 1}` : "" }));
  fill(by("classes"), named, (each) => each, ({ name, colour, key }) => {
    const picker = make("input", { type: "color", value: colour, "aria-label": `Colour of ${name}`, onchange: ({ target }) => put(name, target.value) });
    return make("li", {}, picker, make("button", { type: "button", class: "row quiet", title: key, onclick: () => take(name) }, name));
  }, (item, { name }) => {
    item.classList.toggle("chosen", name === own);
    item.lastElementChild.setAttribute("aria-pressed", String(name === own));
  });
}
