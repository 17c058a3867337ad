/** Keys for all, and the sheet that shows them. */
import * as actions from "./actions.js";
import { by, make } from "./dom.js";
import { step, take } from "./list.js";
import { hold } from "./pointer.js";
import { discard, run } from "./queue.js";
import { chosen, set, state } from "./state.js";
import { toggle } from "./theme.js";
import { TOOLS } from "./tools/index.js";
import { fit, pan, zoom } from "./viewer.js";

const narrow = (by) => set({ width: Math.min(60, Math.max(1, state.width + by)) });
const fade = (by) => set({ opacity: Math.min(1, Math.max(0.05, Math.round(100 * (state.opacity + by)) / 100)) });
const polarity = () => {
  const other = state.tool.replace(/[+-]$/, (sign) => (sign === "+" ? "-" : "+"));
  set({ tool: other });
};

/** Groups of [keys, what they do, the doing]. A key is what `event.key` says, with Ctrl+, Alt+ before it. */
const GROUPS = (open) => [
  ["Tools", [
    ...TOOLS.map(({ id, label, key }) => [[key], label, () => set({ tool: id })]),
    [["x"], "Inside or outside", polarity],
    [["[", "]"], "Brush narrower, wider", (key) => narrow(key === "[" ? -2 : 2)],
    [["Space"], "Hold to move the image", null],
  ]],
  ["Object", [
    [["z", "Ctrl+z"], "Undo", actions.undo],
    [["y", "Ctrl+y", "Ctrl+Shift+Z"], "Redo", actions.redo],
    [["n"], "New object", () => actions.choose(null)],
    [["j", "k"], "Next, previous object", (key) => step(key === "j" ? 1 : -1)],
    [["g"], "Refine in the part in view", actions.child],
    [["r"], "Reset", actions.reset],
    [["Delete", "Backspace"], "Delete", () => actions.remove()],
    [["Shift+1…9"], "Class", null],
  ]],
  ["Several at once", [
    [["m"], "One object, or an object per click", () => set({ mode: state.mode === "many" ? "object" : "many" })],
    [["q"], "Collect (or hold Shift)", () => set({ queueing: !state.queueing })],
    [["Enter"], "Run what is collected", () => run()],
    [["Escape"], "Discard it; let the object go", () => (state.queue.length ? discard() : actions.choose(null))],
  ]],
  ["View", [
    [["f"], "Look at the object", () => chosen()?.bounds && fit(chosen().bounds)],
    [["a"], "Whole image", () => fit(null)],
    [["+", "-"], "Zoom", (key) => zoom(key === "+" ? 1.4 : 1 / 1.4)],
    [["Arrows"], "Move", null],
    [["o"], "Outline or filled", () => set({ style: state.style === "fill" ? "contour" : "fill" })],
    [[",", "."], "Opacity", (key) => fade(key === "," ? -0.1 : 0.1)],
    [["p"], "Probability", () => set({ heat: !state.heat })],
    [["v"], "Conceal all, show all", () => set({ concealed: !state.concealed })],
    [["t"], "Light or dark", toggle],
    [["i"], "Open another image", open],
    [["?"], "This sheet", sheet],
  ]],
];

const ARROWS = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
const DIGIT = /^[0-9]$/; // where digits are typed with Shift, as in France, the key without it is the digit, too
const acts = new Map();

/** Begin to listen; `open` shows the list of images. */
export function begin(open) {
  for (const [title, rows] of GROUPS(open)) {
    const body = rows.map(([keys, label, act]) => {
      if (act) for (const key of keys) acts.set(key, act);
      return make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key.replace(/(^|\+)[a-z]$/, (last) => last.toUpperCase())))), make("dd", {}, label));
    });
    by("sheet").append(make("section", {}, make("h2", {}, title), make("dl", {}, ...body)));
  }
  document.addEventListener("keydown", press);
  document.addEventListener("keyup", ({ key }) => key === " " && hold(false));
  window.addEventListener("blur", () => hold(false));
}

/** Show the sheet of keys. */
export function sheet() {
  by("keys").showModal();
}

function press(event) {
  const { key, target } = event;
  if (document.querySelector("dialog[open]") || !state.image) return;
  // Fields keep their keys; a button keeps Space and Enter.
  if (target.matches("input:not([type=checkbox], [type=radio], [type=range]), select, textarea")) return;
  const button = target.matches("button, summary, a, input");
  if (button && (key === " " || (key === "Enter" && !state.queue.length))) return;
  if (target.matches("input") && (key in ARROWS || key === "Escape")) return void (key === "Escape" && target.blur());
  if (act(event)) event.preventDefault();
}

/** A key as the table has it; a letter of another alphabet is the one that its place has in Latin. */
function latin(key, code) {
  if (key === "=") return "+";
  if (/^\p{L}$/u.test(key) && !/[a-z]/i.test(key)) return /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? key;
  return key.length === 1 ? key.toLowerCase() : key;
}

function act(event) {
  const { key, code, ctrlKey, metaKey, altKey, shiftKey } = event;
  if (key === " ") return hold(true), true;
  const plainly = event.getModifierState("AltGraph"); // how many keyboards write [ and ]
  if (altKey && !plainly) return false;
  const ctrl = (ctrlKey || metaKey) && !plainly;
  const digit = !ctrl && !plainly && /^Digit([1-9])$/.exec(code)?.[1];
  if (digit && shiftKey && !DIGIT.test(key)) {
    const named = state.classes?.[digit - 1];
    if (named) take(named.name);
    return Boolean(named);
  }
  if (key in ARROWS && !ctrl) return pan(...ARROWS[key]), true;
  const plain = digit && !DIGIT.test(key) ? digit : latin(key, code);
  const name = ctrl ? `Ctrl+${shiftKey ? `Shift+${plain.toUpperCase()}` : plain}` : plain;
  const found = acts.get(name);
  found?.(plain);
  return Boolean(found);
}
