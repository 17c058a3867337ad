/** The panel: model, chosen object, view. */
import * as actions from "./actions.js";
import { by, fill, iconButton, make } from "./dom.js";
import { area, time } from "./format.js";
import { icon } from "./icons.js";
import { light } from "./marks.js";
import * as resolution from "./resolution.js";
import { chosen, on, set, state } from "./state.js";
import { checkpoint } from "./tools/index.js";

/** Build what doesn't change, and show the rest whenever it does. */
export function begin() {
  by("checkpoint").addEventListener("change", ({ target: { value } }) => {
    set({ checkpoint: value });
    if (chosen() && chosen().checkpoint !== value) actions.checkpointOf(value);
  });
  for (const [name, key] of [["mode", "mode"], ["style", "style"]]) {
    for (const radio of document.getElementsByName(name)) radio.addEventListener("change", () => set({ [key]: radio.value }));
  }
  by("queue").addEventListener("change", ({ target }) => set({ queueing: target.checked }));
  by("heat").addEventListener("change", ({ target }) => set({ heat: target.checked }));
  by("opacity").addEventListener("input", ({ target }) => set({ opacity: Number(target.value) }));
  by("mpp").addEventListener("change", ({ target }) => resolution.keep(Number(target.value) || null));
  slide(by("threshold"), actions.threshold);
  for (const [id, act] of Object.entries({ new: () => actions.choose(null), child: actions.child, reset: actions.reset, delete: () => actions.remove() })) {
    by(id).addEventListener("click", act);
  }
  on(["about"], offer);
  on(["image"], scale);
  on(["objects", "target", "checkpoint", "about"], object);
  on(["mode", "style", "queueing", "heat", "opacity", "objects", "target"], view);
  view();
}

/** Ask with the slider's newest value and the target that it is for, never with two at a time. */
function slide(input, ask) {
  let running = false;
  let next = null;
  input.addEventListener("input", async () => {
    input.nextElementSibling.value = Number(input.value).toFixed(2);
    next = [Number(input.value), state.target];
    if (running) return;
    running = true;
    while (next) {
      const given = next;
      next = null;
      await ask(...given);
    }
    running = false;
  });
}

function offer() {
  const { checkpoints } = state.about;
  by("checkpoint").replaceChildren(...checkpoints.map(({ name, task }) => make("option", { value: name }, task ? `${name} (${[task].flat().join(", ")})` : name)));
}

function scale() {
  by("mpp-row").hidden = !state.image || Boolean(state.image.mpp);
  if (state.image) by("mpp").value = resolution.typed() ?? "";
}

function object() {
  const own = chosen();
  by("none").hidden = Boolean(own);
  by("object").hidden = !own;
  by("checkpoint").value = own?.checkpoint ?? state.checkpoint ?? "";
  const model = checkpoint();
  by("licence").textContent = [model?.licence, model?.mpp && `${model.mpp} µm/px`].filter(Boolean).join(" · ");
  if (!own) return;
  by("area").value = area(own);
  by("time").value = time(own);
  if (document.activeElement !== by("threshold") || by("threshold").dataset.of !== own.id) {
    by("threshold").dataset.of = own.id; // what is being moved is left alone
    by("threshold").value = own.threshold;
    by("threshold").nextElementSibling.value = Number(own.threshold).toFixed(2);
  }
  const said = [...own.interactions, ...(own.edits ?? [])].sort((a, b) => a.id - b.id);
  by("said").querySelector("summary").textContent = `Interactions: ${said.length}`;
  fill(by("interactions"), said, (each) => [own.id, each.id], (each) => line(own, each));
}

const NAMES = { click: ["Click in", "Click outside"], scribble: ["Scribble in", "Scribble outside"], box: ["Box", "Box"], edit: ["Added by hand", "Taken away by hand"] };

function line(own, each) {
  const negative = each.positive === false || each.add === false;
  const name = NAMES[each.polygon ? "edit" : each.type][negative ? 1 : 0];
  const remove = iconButton(icon("close"), `Take back: ${name}`, () => actions.forget(own.id, each.id));
  const glow = { onpointerenter: () => light(each.id), onpointerleave: () => light(null) };
  return make("li", { class: negative ? "negative" : "positive", ...glow }, make("span", {}, name), remove);
}

function view() {
  for (const name of ["mode", "style"]) for (const radio of document.getElementsByName(name)) radio.checked = radio.value === state[name];
  by("queue").checked = state.queueing;
  by("heat").checked = state.heat;
  by("scale").hidden = !state.heat;
  by("heat").disabled = !chosen();
  by("opacity").value = state.opacity;
  by("opacity").nextElementSibling.value = `${Math.round(100 * state.opacity)} %`;
}
