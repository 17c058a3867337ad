/** The tools, in the order of the rail: what each is called, its key, and what it takes of a checkpoint. */
import { around } from "../queue.js";
import { set, state } from "../state.js";
import { box } from "./box.js";
import { click } from "./click.js";
import { eraser } from "./eraser.js";
import { hand } from "./hand.js";
import { lasso } from "./lasso.js";
import { scribble } from "./scribble.js";

export const TOOLS = [
  { id: "hand", label: "Move and choose", key: "h", ...hand() },
  { id: "click+", label: "Click in the object", key: "1", kind: "click", ...click(true) },
  { id: "click-", label: "Click outside of it", key: "2", kind: "click", ...click(false) },
  { id: "scribble+", label: "Scribble in the object", key: "3", kind: "scribble", ...scribble(true) },
  { id: "scribble-", label: "Scribble outside of it", key: "4", kind: "scribble", ...scribble(false) },
  { id: "box", label: "Box around the object", key: "5", kind: "box", ...box() },
  { id: "lasso+", label: "Add by hand", key: "6", ...lasso(true) },
  { id: "lasso-", label: "Take away by hand", key: "7", ...lasso(false) },
  { id: "eraser", label: "Take one interaction back", key: "8", ...eraser() },
];

const PLURAL = { click: "clicks", scribble: "scribbles", box: "boxes" };

/** The tool in use. */
export function tool() {
  return TOOLS.find(({ id }) => id === state.tool) ?? TOOLS[1];
}

/** The checkpoint that the next interaction is given to. */
export function checkpoint() {
  const name = state.objects.get(state.target.id)?.checkpoint ?? state.checkpoint;
  return state.about?.checkpoints.find((each) => each.name === name);
}

/** Why a tool can't be used now; "" where it can. */
export function refusal({ id, kind }) {
  const model = checkpoint();
  if (!kind || !model) return "";
  if (id === "box" && around()) return "";
  if (!model.told.includes(kind)) {
    return `${model.name} does not take ${PLURAL[kind]}: it takes ${model.told.map((each) => PLURAL[each]).join(" and ")}.`;
  }
  if (id === "scribble-" && model.interaction.includes("squiggle")) return `${model.name} takes squiggles in the object only.`;
  return "";
}

/** Take a tool that can be used, where the one in use can't. */
export function settle() {
  if (refusal(tool())) set({ tool: TOOLS.find((each) => each.kind && !refusal(each))?.id ?? "hand" });
}
