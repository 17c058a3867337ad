/** Micrometres a pixel of the opened image: what its file says, or what a person typed. */
import { read, state, write } from "./state.js";

/** Images of the same name in other folders are others. */
const name = () => `isegzoo.mpp ${state.image.root} ${state.image.image}`;

/** What was typed; null: nothing. */
export const typed = () => read(name(), null);

/** Keep what was typed. */
export const keep = (mpp) => write(name(), mpp);

/** null: unknown. */
export const known = () => state.image.mpp ?? typed();
