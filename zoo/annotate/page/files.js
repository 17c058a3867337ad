/** Files in and out: exports, and masks or polygons to begin with. */
import * as actions from "./actions.js";
import * as api from "./api.js";
import { by, make } from "./dom.js";
import * as notice from "./notice.js";
import { state } from "./state.js";
import { inTurn } from "./turns.js";

/** Begin: the buttons, and files dropped on the image. */
export function begin() {
  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", () => save(button.dataset.export));
  }
  by("import").addEventListener("click", () => by("file").click());
  by("file").addEventListener("change", ({ target }) => {
    if (target.files[0]) open(target.files[0]);
    target.value = "";
  });
  const stage = by("stage");
  stage.addEventListener("dragover", (event) => event.preventDefault());
  stage.addEventListener("drop", (event) => {
    event.preventDefault();
    if (state.image && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
}

async function save(format) {
  const { image } = state.image;
  const file = await inTurn(() => api.exported(image, format));
  if (!file) return;
  const href = URL.createObjectURL(file.blob);
  make("a", { href, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}

/** Import a GeoJSON file or a label image. */
export async function open(file) {
  try {
    if (file.type.startsWith("image/") || /\.(png|tiff?|npy|bmp|gif)$/i.test(file.name)) actions.bringLabels(file);
    else actions.bring(await features(file));
  } catch (error) {
    notice.show(`${file.name}: ${error.message}`);
  }
}

async function features(file) {
  let read;
  try {
    read = JSON.parse((await file.text()).replace(/^\uFEFF/, ""));
  } catch {
    throw new Error("this is not JSON; give GeoJSON, as QuPath exports it, or a label image: PNG, TIFF, NPY, BMP or GIF.");
  }
  if (Array.isArray(read)) return { type: "FeatureCollection", features: read };
  return read?.type === "Feature" ? { type: "FeatureCollection", features: [read] } : read;
}
