/** Light or dark: as the system says, unless the person chose. */
import { read, set, write } from "./state.js";

const NAME = "isegzoo.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** Begin with what was chosen before. */
export function begin() {
  show(read(NAME, null));
  dark.addEventListener("change", () => set({ theme: current() }));
}

/** Go to the other one, and remember it. */
export function toggle() {
  const next = current() === "dark" ? "light" : "dark";
  write(NAME, next);
  show(next);
}

const current = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");

function show(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  set({ theme: current() });
}
