/** Light or dark: as the system says, unless the person chose. What is shown first is early.js'. */
import { set, write } from "./state.js";

const { isegzoo } = window;
const current = () => document.documentElement.dataset.theme;

/** Begin to follow the system, and other tabs. */
export function begin() {
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  window.addEventListener("storage", ({ key }) => key === isegzoo.THEME && show());
  set({ theme: current() });
}

/** Go to the other one, and remember it. */
export function toggle() {
  const next = current() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next; // also where nothing can be kept
  write(isegzoo.THEME, next);
  set({ theme: next });
}

function show() {
  isegzoo.showTheme();
  set({ theme: current() });
}
