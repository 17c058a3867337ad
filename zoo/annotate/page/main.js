/** The page: opens an image and puts all parts together. */
import * as api from "./api.js";
import * as classes from "./classes.js";
import { by } from "./dom.js";
import * as files from "./files.js";
import { facts } from "./format.js";
import { icon } from "./icons.js";
import * as keys from "./keys.js";
import * as list from "./list.js";
import * as marks from "./marks.js";
import * as notice from "./notice.js";
import * as overlay from "./overlay.js";
import * as panel from "./panel.js";
import * as picker from "./picker.js";
import * as pointer from "./pointer.js";
import * as queue from "./queue.js";
import * as rail from "./rail.js";
import * as ruler from "./ruler.js";
import { on, set, state } from "./state.js";
import * as sync from "./sync.js";
import * as theme from "./theme.js";
import * as viewer from "./viewer.js";

/** The image named in the address, so that a reload opens it again. */
const named = () => new URLSearchParams(location.hash.slice(1)).get("image");

let asked = 0;

async function open(path) {
  const number = ++asked;
  try {
    const image = await api.image(path);
    if (number !== asked) return; // another one was asked for meanwhile
    set({ image, objects: new Map(), deleted: [], saved: "", ...queue.waiting(image) });
    history.replaceState(null, "", `#${new URLSearchParams({ image: path })}`);
    document.title = `${path.split("/").at(-1)} · isegzoo`;
    by("open").textContent = path.split("/").at(-1);
    by("facts").textContent = facts(image);
    await Promise.all([viewer.show(image), sync.refresh()]);
  } catch (error) {
    pick(error.message);
  }
}

/** Have an image chosen; `said` is why the last one can't be opened. */
async function pick(said = "") {
  try {
    const entries = await picker.show({ said });
    // A single image needs no list.
    if (!said && !state.image && entries.length === 1 && entries[0].kind !== "folder") {
      by("picker").close();
      await open(entries[0].path);
    }
  } catch (error) {
    notice.show(error.message);
  }
}

let pointed = false; // the mouse was used last, not the keyboard

/** After a click with the mouse keys are the image's again, so that Space moves it. */
function release({ detail, target }) {
  if (!detail || target.closest("dialog")) return;
  setTimeout(() => document.activeElement?.matches("button, summary, [type=checkbox], [type=radio]") && document.activeElement.blur());
}

function bar() {
  for (const [id, name] of [["theme", "theme"], ["help", "help"], ["drawer", "drawer"]]) by(id).append(icon(name));
  by("open").textContent = "Open an image";
  by("open").addEventListener("click", () => pick());
  by("theme").addEventListener("click", theme.toggle);
  by("help").addEventListener("click", keys.sheet);
  const drawer = (open) => {
    document.body.classList.toggle("drawn", open);
    by("drawer").setAttribute("aria-expanded", String(open));
  };
  by("drawer").addEventListener("click", () => drawer(!document.body.classList.contains("drawn")));
  drawer(window.matchMedia("(min-width: 721px)").matches);
  for (const close of document.querySelectorAll("dialog .close")) {
    close.append(icon("close"));
    close.addEventListener("click", () => close.closest("dialog").close());
  }
  const words = { saving: "Saving…", saved: "Saved", failed: "Not saved" };
  let timer = 0;
  on(["saved", "busy"], () => {
    by("saved").textContent = words[state.saved] ?? "";
    clearTimeout(timer);
    // The first time a checkpoint is used it is loaded.
    if (state.busy) timer = setTimeout(() => (by("saved").textContent = "The model is at work…"), 2500);
    by("saved").className = state.saved;
    by("progress").hidden = !state.busy;
  });
}

function begin() {
  notice.begin(by("notice"));
  theme.begin();
  bar();
  rail.begin();
  queue.begin();
  panel.begin();
  list.begin();
  overlay.begin(by("masks"));
  marks.begin(by("marks"));
  picker.begin(open);
  pointer.begin(
    viewer.begin(() => {
      overlay.redraw();
      marks.redraw();
      ruler.show();
    }),
  );
  keys.begin(() => pick());
  document.addEventListener("click", release);
  document.addEventListener("change", ({ target }) => target.matches("select") && pointed && target.blur());
  document.addEventListener("pointerdown", () => (pointed = true), true);
  document.addEventListener("keydown", () => (pointed = false), true);
  files.begin();
  sync.begin();
  window.addEventListener("hashchange", () => named() && named() !== state.image?.image && open(named()));
  // At the same time: the image is there before the checkpoints are known.
  return Promise.all([learn(), named() ? open(named()) : pick()]);
}

/** What the server offers. */
async function learn() {
  try {
    const about = await api.about();
    const offered = about.default;
    // A server that was started with another checkpoint than last time means it.
    const kept = state.offered === offered && about.checkpoints.some(({ name }) => name === state.checkpoint);
    set({ about, offered, checkpoint: kept ? state.checkpoint : offered });
    classes.begin();
  } catch (error) {
    notice.show(error.message);
  }
}

begin();
