/** Small helpers to make elements. */

/** The element with this id. */
export const by = (id) => document.getElementById(id);

/** An element with properties (`class`, `on...`, `aria-...`, `data-...` and those of the element) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** A button with a drawing, and a label that is read out and shown on hovering. */
export function iconButton(drawing, label, act, key) {
  const title = key ? `${label} (${key})` : label;
  return make("button", { type: "button", class: "icon", title, "aria-label": label, onclick: act }, drawing);
}
