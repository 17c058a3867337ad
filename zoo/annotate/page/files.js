/** Files in and out: exports, and masks or polygons to begin with. */
import * as actions from "./actions.js";
import * as api from "./api.js";
import { by, make } from "./dom.js";
import { collection, colours } from "./labels.js";
import { pixels } from "./masks.js";
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

/** Import a GeoJSON file or a mask. */
export async function open(file) {
  try {
    const png = file.type === "image/png" || /\.png$/i.test(file.name);
    if (png && (await deep(file))) actions.bringLabels(file);
    else actions.bring(png ? await polygons(file) : await features(file));
  } catch (error) {
    notice.show(`${file.name}: ${error.message}`);
  }
}

async function features(file) {
  let read;
  try {
    read = JSON.parse((await file.text()).replace(/^\uFEFF/, ""));
  } catch {
    throw new Error("this is not JSON; give GeoJSON, as QuPath exports it, or a mask as PNG.");
  }
  if (Array.isArray(read)) return { type: "FeatureCollection", features: read };
  return read?.type === "Feature" ? { type: "FeatureCollection", features: [read] } : read;
}

/** Whether a PNG has 16 bits a pixel, of which browsers read 8: its numbers would run into each other. */
async function deep(file) {
  const [bits] = new Uint8Array(await file.slice(24, 25).arrayBuffer());
  return bits === 16;
}

/** A mask or label image of the whole image as polygons. */
async function polygons(file) {
  const { width, height } = state.image;
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  if (bitmap.width !== width || bitmap.height !== height) {
    throw new Error(`the mask has ${bitmap.width} × ${bitmap.height} pixels, the image ${width} × ${height}; give one of the same size.`);
  }
  return collection(pixels(bitmap, colours).values, width);
}
