/** Changes at the server, one after the other in the order that they were asked for; what fails is said. */
import * as notice from "./notice.js";
import { set, state } from "./state.js";

let last = Promise.resolve();
let asked = 0;

/** How many changes were asked for so far. */
export const turns = () => asked;

/** Do some work after all that was asked for before. Resolves to what it returns, or to undefined where it failed. */
export function inTurn(work) {
  asked++;
  set({ busy: state.busy + 1, saved: "saving" });
  const turn = last.then(async () => {
    let saved = "saved";
    try {
      const result = await work();
      notice.settle();
      return result;
    } catch (error) {
      saved = "failed";
      notice.show(error.message);
      return undefined;
    } finally {
      const busy = state.busy - 1;
      set({ busy, saved: busy && saved === "saved" ? "saving" : saved });
    }
  });
  last = turn;
  return turn;
}
