/** The scale bar: a round length in micrometres, and the magnification of the view. */
import { by } from "./dom.js";
import { known } from "./resolution.js";
import { state } from "./state.js";
import { frame } from "./viewer.js";

const MOST = 120; // pixels of the screen
const OBJECTIVE = 10; // micrometres a pixel at 1x

/** Show it for the view as it is; nothing where the resolution is unknown. */
export function show() {
  const at = frame();
  const mpp = state.image && known();
  by("ruler").hidden = !(at && mpp);
  if (!at || !mpp) return;
  const pixel = mpp / at.scale; // micrometres a pixel of the screen
  const power = 10 ** Math.floor(Math.log10(MOST * pixel));
  const length = [5, 2, 1].find((each) => each * power <= MOST * pixel) * power;
  const text = length < 1000 ? `${Number(length.toPrecision(1))} µm` : `${length / 1000} mm`;
  const zoom = OBJECTIVE / pixel;
  by("ruler").firstElementChild.textContent = `${text} · ${zoom < 10 ? zoom.toPrecision(2) : Math.round(zoom)}×`;
  by("ruler").lastElementChild.style.width = `${length / pixel}px`;
}
