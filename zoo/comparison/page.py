"""Style and script of the report: plain texts that the one HTML file holds."""

STYLE = """
:root { color-scheme: light; --line: #e2e2e6; --quiet: #5a5a60; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1e; background: #fff; margin: 0 auto; max-width: 2000px;
  padding: 1rem clamp(1rem, 2.5vw, 3rem); }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; } h4 { font-size: .9rem; margin: .6rem 0 .2rem; }
p, dl, li { margin: .3rem 0; max-width: 75rem; } .quiet { color: var(--quiet); font-size: .85rem; }
.note { border-left: 3px solid #c9a227; padding: .1rem .8rem; margin: .7rem 0; font-size: .85rem; max-width: 75rem; }
.wide { position: relative; width: fit-content; max-width: 100%; }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch; }
.wide::after { content: "more \\2192"; position: absolute; top: 0; right: 0; bottom: 0; width: 4.5rem; display: none;
  padding: .35rem .4rem; text-align: right; font-size: .75rem; font-weight: 600; color: #1c1c1e; pointer-events: none;
  background: linear-gradient(to right, #fff0, #ffffffe6 60%, #fff); border-right: 3px solid #8a8a92; }
.wide.more::after { display: block; }
.wide.begun th:first-child, .wide.begun td:first-child { box-shadow: 6px 0 6px -4px #0004; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
thead th { font-size: .75rem; color: var(--quiet); border-bottom: 2px solid #c8c8ce; vertical-align: bottom;
  white-space: normal; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; z-index: 1; }
td.best, td.better { font-weight: 700; background: #e3f3e7; color: #0b5a25; }
td.worse { font-weight: 700; background: #fde7e5; color: #a11a12; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; } .figures figure { flex: 1 1 320px; max-width: 640px; }
figure { margin: .4rem 0; } figcaption { font-size: .8rem; color: var(--quiet); line-height: 1.3; padding-top: .15rem; }
img { max-width: 100%; height: auto; display: block; } [data-large] { cursor: zoom-in; }
.blocks { display: flex; flex-wrap: wrap; gap: .2rem 2rem; } .blocks > div { max-width: 100%; }
.strip { display: flex; flex-wrap: wrap; gap: .5rem; }
.strip figure { flex: 0 0 auto; width: min(var(--w), calc((100% - (var(--n) - 1) * .5rem) / var(--n))); margin: 0; }
.three { --w: 13rem; --n: 3; } .two { --w: min(26rem, 30vw); --n: 2; }
.three > .strip { width: min(40rem, 100vw - 2 * clamp(1rem, 2.5vw, 3rem)); }
.two > .strip { width: 100%; } @media (max-width: 700px) { .two { --w: 26rem; } }
.strip img { width: 100%; } [data-large]:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
dl { font-size: .85rem; } dt { font-weight: 600; float: left; clear: left; margin-right: .5rem; }
.key { display: inline-block; width: .8em; height: .8em; border: 1px solid #777; vertical-align: -.05em; }
code { font-size: .85em; overflow-wrap: anywhere; }
dialog { border: 0; border-radius: 6px; padding: .8rem; max-width: 96vw; max-height: 96vh; overflow: auto; }
dialog::backdrop { background: #000b; } dialog figure { margin: 0 auto; position: relative; width: fit-content; }
dialog img { max-width: min(92vw, 1100px); height: auto; width: min(92vw, calc(70vh * var(--ratio, 1))); }
dialog nav { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin-bottom: .5rem; }
dialog nav b { flex: 1 1 12rem; font-size: .9rem; } dialog button { font: inherit; padding: .2rem .7rem; }
dialog ol { list-style: none; padding: 0; margin: .5rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem .5rem;
  font-size: .8rem; max-width: min(92vw, 60rem); font-variant-numeric: tabular-nums; }
dialog li { margin: 0; padding: 0 .4rem; border: 1px solid var(--line); border-radius: 4px; } li.late { opacity: .45; }
.mark { position: absolute; transform: translate(.55em, -1.35em); font: 700 .8rem/1.1 system-ui, sans-serif;
  padding: 0 .2em; border-radius: 3px; color: #fff; background: #009e3ccc; } .mark.no { background: #d50000cc; }
"""

DIALOG = """
<dialog id="large" aria-label="enlarged picture"><nav><b></b><button data-step="-1" aria-label="before">&larr;</button>
<button data-step="1" aria-label="next">&rarr;</button><button data-numbers>numbers</button>
<button data-close>close</button></nav><figure><img alt=""></figure><ol></ol></dialog>
"""

SCRIPT = """
for (const wide of document.querySelectorAll(".wide")) {
  const inner = wide.querySelector(".scroll");
  const look = () => {
    wide.classList.toggle("more", inner.scrollLeft + inner.clientWidth < inner.scrollWidth - 2);
    wide.classList.toggle("begun", inner.scrollLeft > 2);
  };
  inner.addEventListener("scroll", look);
  addEventListener("resize", look);
  look();
}
const dialog = document.getElementById("large"), frame = dialog.querySelector("figure");
let series = [], place = 0, numbers = true;
function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = kind;
  return made;
}
function show() {
  const figure = series[place], small = figure.querySelector("img"), large = frame.querySelector("img");
  large.src = small.src;
  large.alt = small.alt;
  dialog.style.setProperty("--ratio", small.naturalWidth / small.naturalHeight || 1);
  dialog.querySelector("b").textContent = (figure.dataset.title ? figure.dataset.title + ": " : "") + small.alt;
  frame.querySelectorAll(".mark").forEach(mark => mark.remove());
  const marks = JSON.parse(figure.dataset.marks || "[]"), ious = JSON.parse(figure.dataset.ious || "[]");
  for (const [x, y, turn, positive] of numbers ? marks : []) {
    const mark = element("span", turn, positive ? "mark" : "mark no");
    mark.style.left = 100 * x + "%";
    mark.style.top = 100 * y + "%";
    frame.append(mark);
  }
  const said = new Map(marks.map(mark => [mark[2], mark[3] ? "+" : "\\u2212"])), last = Number(figure.dataset.turns);
  dialog.querySelector("ol").replaceChildren(...ious.map((iou, k) => {
    const turn = k + 1 + Number(figure.dataset.before || 0);
    const what = [turn, said.get(turn), "IoU " + iou.toFixed(3)].filter(part => part !== undefined);
    return element("li", what.join(" "), k < last ? "" : "late");
  }));
  dialog.querySelector("[data-numbers]").hidden = !marks.length;
}
function step(by) { place = (place + by + series.length) % series.length; show(); }
function open(figure) {
  series = [...figure.closest("[data-series]").querySelectorAll("[data-large]")];
  place = series.indexOf(figure);
  show();
  if (!dialog.open) dialog.showModal();
}
for (const figure of document.querySelectorAll("[data-large]")) {
  figure.addEventListener("click", () => open(figure));
  figure.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(figure); }
  });
}
dialog.addEventListener("click", event => {
  const data = event.target.dataset;
  if (data.step) step(Number(data.step));
  else if (data.numbers !== undefined) { numbers = !numbers; show(); }
  else if (data.close !== undefined || event.target === dialog) dialog.close();
});
dialog.addEventListener("keydown", event => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
"""
