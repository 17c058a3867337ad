/** The rail: a button for each tool, then undo, redo and a new object. */
import { choose, redo, undo } from "./actions.js";
import { by, iconButton, make } from "./dom.js";
import { icon } from "./icons.js";
import { around, discard, run } from "./queue.js";
import { chosen, on, set, state } from "./state.js";
import { TOOLS, refusal, settle, tool } from "./tools/index.js";

const touched = window.matchMedia("(pointer: coarse)").matches; // there may be no keys
const buttons = new Map();
let steps = [];

/** Build the rail and the strip of options over the image. */
export function begin() {
  const rail = by("rail");
  for (const { id, label, key } of TOOLS) {
    const button = iconButton(icon(id), label, () => set({ tool: id }), key.toUpperCase());
    button.dataset.tool = id;
    buttons.set(id, button);
    rail.append(button);
  }
  steps = [
    iconButton(icon("undo"), "Undo", undo, "Z"),
    iconButton(icon("redo"), "Redo", redo, "Y"),
    iconButton(icon("new"), "New object", () => choose(null), "N"),
  ];
  ["undo", "redo", "begin"].forEach((name, i) => (steps[i].dataset.step = name));
  rail.append(make("hr"), ...steps);
  by("width").addEventListener("input", ({ target }) => set({ width: Number(target.value) }));
  by("run").addEventListener("click", () => run());
  by("unqueue").addEventListener("click", discard);
  on(["tool", "checkpoint", "mode", "about", "objects", "target", "queue", "deleted", "width", "concealed"], show);
}

function show() {
  settle();
  const used = tool();
  for (const each of TOOLS) {
    const button = buttons.get(each.id);
    const why = refusal(each);
    // Not `disabled`: that would hide the reason from the keyboard and from screen readers.
    button.setAttribute("aria-disabled", String(Boolean(why)));
    button.title = why || `${each.label} (${each.key.toUpperCase()})`;
    button.setAttribute("aria-label", why ? `${each.label}. ${why}` : each.label);
    button.setAttribute("aria-pressed", String(each === used));
  }
  const own = chosen();
  const { length } = state.queue;
  steps[0].disabled = !(own?.undo || length || state.deleted.length);
  steps[1].disabled = !own?.redo;
  by("brush").hidden = !used.brush;
  by("width").value = state.width;
  by("brush").querySelector("output").textContent = `${state.width} px`;
  by("run").hidden = by("unqueue").hidden = !length;
  by("run").textContent = touched ? `Run ${length}` : `Run ${length} (Enter)`;
  by("hint").textContent = hint(used);
  document.body.dataset.tool = used.id;
}

function hint(used) {
  if (state.concealed) return "All masks and marks are concealed; V shows them.";
  if (used.hintMany && around()) return used.hintMany;
  if (state.queue.length) return `${state.queue.length} collected.${touched ? "" : " Enter: run. Esc: discard."}`;
  const own = state.mode === "many" && used.id === "click+" ? "Each click is an object of its own." : used.hint;
  return touched || !used.keys ? own : `${own} ${used.keys}`;
}
