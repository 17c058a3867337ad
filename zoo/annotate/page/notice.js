/** The calm bar at the top of the image: one sentence at a time. */
import { icon } from "./icons.js";

let bar = null;
let timer = 0;

/** Begin with this element: a paragraph, a button to act, a button to close. */
export function begin(element) {
  bar = element;
  const close = bar.querySelector(".close");
  close.append(icon("close"));
  close.addEventListener("click", hide);
}

/**
 * Show a sentence.
 *
 * @param {string} text
 * @param {{kind?: "error" | "note", action?: string, act?: () => void, seconds?: number}} options a button, and how
 *   long the bar stays; errors stay until they are closed or something works again
 */
export function show(text, { kind = "error", action, act, seconds } = {}) {
  clearTimeout(timer);
  bar.className = kind;
  bar.querySelector("p").textContent = text;
  const button = bar.querySelector(".action");
  button.hidden = !action;
  button.textContent = action ?? "";
  button.onclick = () => {
    hide();
    act();
  };
  bar.hidden = false;
  if (seconds) timer = setTimeout(hide, 1000 * seconds);
}

/** Take the bar away. */
export function hide() {
  clearTimeout(timer);
  bar.hidden = true;
}

/** Take an error away: what was wrong is over. */
export function settle() {
  if (bar.className === "error") hide();
}
