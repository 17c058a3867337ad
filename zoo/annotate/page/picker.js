/** The list of images and folders. */
import * as api from "./api.js";
import { by, make } from "./dom.js";
import { icon } from "./icons.js";
import { state } from "./state.js";

let chosen = () => {};

/** Begin; `open` is called with the path of the image that was chosen. */
export function begin(open) {
  chosen = open;
  const dialog = by("picker");
  // Without an image there is nothing to go back to.
  dialog.addEventListener("cancel", (event) => !state.image && event.preventDefault());
}

/** Show a folder; by default the one of the opened image. `said` is what went wrong: the dialog covers the notice. */
export async function show({ folder = parent(state.image?.image ?? ""), said = "" } = {}) {
  const dialog = by("picker");
  dialog.querySelector(".close").hidden = !state.image;
  const { entries } = await api.images(folder);
  by("path").replaceChildren(...crumbs(folder));
  by("entries").replaceChildren(...entries.map(entry));
  if (!entries.length) by("entries").append(make("li", { class: "faint" }, "No images here."));
  by("picker-note").textContent = said;
  by("picker-note").hidden = !said;
  if (!dialog.open) dialog.showModal();
  return entries;
}

/** Go to another folder of the list that is shown. */
async function go(folder) {
  try {
    await show({ folder });
  } catch (error) {
    by("entries").replaceChildren(make("li", { class: "faint" }, error.message));
  }
}

const parent = (path) => path.split("/").slice(0, -1).join("/");

function crumbs(folder) {
  const names = folder ? folder.split("/") : [];
  const all = [["Images", ""], ...names.map((name, i) => [name, names.slice(0, i + 1).join("/")])];
  return all.map(([name, path]) => make("button", { type: "button", class: "quiet", onclick: () => go(path) }, name));
}

function entry({ name, path, kind, objects }) {
  const picture =
    kind === "folder"
      ? make("span", { class: "thumbnail" }, icon("folder"))
      : make("img", { class: "thumbnail", alt: "", loading: "lazy", src: api.address("thumbnail", { image: path, side: 320 }) });
  const notes = kind === "folder" ? "" : [kind === "slide" ? "slide" : "", objects ? `${objects} ${objects === 1 ? "object" : "objects"}` : ""].filter(Boolean).join(" · ");
  const open = () => {
    if (kind === "folder") return void go(path);
    by("picker").close();
    chosen(path);
  };
  const button = make("button", { type: "button", onclick: open }, picture, make("span", { class: "name" }, name), make("span", { class: "faint" }, notes));
  button.dataset.path = path;
  return make("li", {}, button);
}
