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

/** A function that has `draw` called once before the next picture of the screen, however often it is called. */
export function redrawing(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/**
 * Make the children of a list those of `items`. What is there already stays as it is, and keeps the focus.
 *
 * @param {Element} parent
 * @param {any[]} items
 * @param {(item: any) => any} keyOf what a child shows; another one is made where this changed
 * @param {(item: any) => Element} build
 * @param {(child: Element, item: any) => void} update what may change of a child that stays
 */
export function fill(parent, items, keyOf, build, update = () => {}) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, i) => {
    const key = JSON.stringify(keyOf(item));
    const child = old.get(key) ?? build(item);
    child.dataset.key = key;
    old.delete(key);
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
    update(child, item);
  });
  for (const child of old.values()) child.remove();
}
