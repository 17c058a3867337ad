"use strict";
const COLOURS = 7, WIDTH = 480, HEIGHT = 300, LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 40;
const data = JSON.parse(document.getElementById("data").textContent);
const dialog = document.getElementById("large"), views = dialog.querySelector(".views");

/* Texts of experiments reach the page through textContent and attributes alone, never as markup. */
function make(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
function draw(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}
const colour = number => `var(--c${number % COLOURS})`;
const brief = text => text.length > 26 ? text.slice(0, 25) + "\u2026" : text;
const mean = numbers => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;

/* Tables: where they go on, sorting, choice of columns. */
for (const wide of document.querySelectorAll(".wide")) {
  const inner = wide.querySelector(".scroll");
  const look = () => {
    wide.classList.toggle("more", inner.scrollLeft + inner.clientWidth < inner.scrollWidth - 2);
    wide.classList.toggle("begun", inner.scrollLeft > 2);
  };
  inner.addEventListener("scroll", look);
  addEventListener("resize", look);
  wide.addEventListener("change", look);
  look();
}
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.querySelectorAll("thead th")], body = table.tBodies[0], given = [...body.rows];
  heads.forEach((head, place) => {
    const button = make("button", "", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const best = head.dataset.better === "low" ? "ascending" : "descending", other = best === "ascending" ? "descending" : "ascending";
      const now = head.getAttribute("aria-sort"), next = !now ? best : now === best ? other : null;
      heads.forEach(each => each.removeAttribute("aria-sort"));
      if (next) head.setAttribute("aria-sort", next);
      const value = row => row.cells[place].dataset.value, sign = next === "descending" ? -1 : 1;
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === undefined || y === undefined) return place ? (x === undefined) - (y === undefined) : sign * a.cells[0].textContent.localeCompare(b.cells[0].textContent);
        return sign * (Number(x) - Number(y));
      };
      body.append(...(next ? [...given].sort(order) : given));
    });
  });
  const chosen = table.closest(".wide").nextElementSibling?.querySelector(".chosen");
  if (!chosen) continue;
  heads.slice(1).forEach((head, number) => {
    const box = make("input", "", { type: "checkbox" }), label = make("label");
    box.checked = true;
    box.addEventListener("change", () => {
      for (const row of table.rows) row.cells[number + 1].hidden = !box.checked;
      dispatchEvent(new Event("resize"));
    });
    label.append(box, " " + head.textContent);
    chosen.append(label);
  });
}

/* The dialog: enlarged pictures of the page, or samples of a chart. */
let series = [], place = 0, numbers = true;
function show() {
  const item = series[place];
  dialog.querySelector("ol").replaceChildren();
  item.figure ? showFigure(item.figure) : showSample(item);
}
function showFigure(figure) {
  const small = figure.querySelector("img"), large = make("img", "", { src: small.src, alt: small.alt }), frame = make("figure");
  frame.append(large);
  views.replaceChildren(frame);
  dialog.style.setProperty("--ratio", small.naturalWidth / small.naturalHeight || 1);
  dialog.querySelector("b").textContent = (figure.dataset.title ? figure.dataset.title + ": " : "") + small.alt;
  const marks = JSON.parse(figure.dataset.marks || "[]"), ious = JSON.parse(figure.dataset.ious || "[]");
  for (const [x, y, turn, positive] of numbers ? marks : []) {
    const mark = make("span", turn, { class: positive ? "mark" : "mark no" });
    mark.style.left = 100 * x + "%";
    mark.style.top = 100 * y + "%";
    frame.append(mark);
  }
  const said = new Map(marks.map(mark => [mark[2], mark[3] ? "+" : "\u2212"])), last = Number(figure.dataset.turns);
  dialog.querySelector("ol").replaceChildren(...ious.map((iou, k) => {
    const turn = k + 1 + Number(figure.dataset.before || 0);
    const what = [turn, said.get(turn), "IoU " + iou.toFixed(3)].filter(part => part !== undefined);
    return make("li", what.join(" "), { class: k < last ? "" : "late" });
  }));
  dialog.querySelector("[data-numbers]").hidden = !marks.length;
}
function showSample({ section, sample, rows, why }) {
  const kept = section.pictures[sample];
  dialog.querySelector("b").textContent = `${section.samples[sample].name}${why ? ": " + why : ""}`;
  dialog.querySelector("[data-numbers]").hidden = true;
  const shown = rows.map(row => {
    const one = make("figure", "", { class: "one" });
    if (kept) one.append(picture(section, sample, row));
    const values = section.metrics.map((metric, m) => `${metric.label} ${section.scores[row][m][sample].toFixed(metric.digits)}`);
    const course = section.ious ? `; IoU by interaction ${section.ious[row][sample].slice(section.first).map(v => (v / 1000).toFixed(2)).join(" ")}` : "";
    one.append(make("figcaption", `${section.rows[row]}: ${values.join(", ")}${course}`));
    return one;
  });
  if (!kept) shown.unshift(make("p", `No picture: the report holds those of ${Object.keys(section.pictures).length} of ${section.samples.length} samples, the worst first.`));
  views.replaceChildren(...shown);
}
function step(by) { place = (place + by + series.length) % series.length; show(); }
function open(items, first) {
  series = items;
  place = first;
  show();
  if (!dialog.open) dialog.showModal();
}
for (const figure of document.querySelectorAll("[data-large]")) {
  const enlarge = () => {
    const all = [...figure.closest("[data-series]").querySelectorAll("[data-large]")];
    open(all.map(each => ({ figure: each })), all.indexOf(figure));
  };
  figure.addEventListener("click", enlarge);
  figure.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); enlarge(); }
  });
}
dialog.addEventListener("click", event => {
  const given = event.target.dataset;
  if (given.step) step(Number(given.step));
  else if (given.numbers !== undefined) { numbers = !numbers; show(); }
  else if (given.close !== undefined || event.target === dialog) dialog.close();
});
dialog.addEventListener("keydown", event => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});

/* A sample with the target's outline, a row's, and its clicks. */
function picture(section, sample, row) {
  const kept = section.pictures[sample], [x, y, width, height] = kept.box, many = kept.clicks[row].length > 25;
  const arm = Math.max(width, height) / (many ? 110 : 45);
  const title = `${section.samples[sample].name}, ${section.rows[row]}`;
  const svg = draw("svg", { class: many ? "picture many" : "picture", viewBox: kept.box.join(" "), role: "img", "aria-label": title });
  svg.append(draw("image", { x, y, width, height, href: kept.src, preserveAspectRatio: "none" }));
  svg.append(draw("path", { d: kept.target, class: "target" }));
  if (kept.found[row]) svg.append(draw("path", { d: kept.found[row], class: "found" }));
  for (const kind of many ? ["click"] : ["rim", "click"]) for (const [cx, cy, positive] of kept.clicks[row]) {
    const d = `M${cx - arm} ${cy}h${2 * arm}` + (positive ? `M${cx} ${cy - arm}v${2 * arm}` : "");
    svg.append(draw("path", { d, class: `${kind} ${positive ? "yes" : "no"}` }));
  }
  return svg;
}

/* A chart of series of points [x, y, what it opens]; one stop of the keyboard, arrows within. */
function ticks(low, high) {
  const rough = (high - low) / 5 || 1, power = 10 ** Math.floor(Math.log10(rough)), size = [1, 2, 5, 10].find(k => k * power >= rough) * power;
  const out = [];
  for (let value = Math.ceil(low / size - 1e-9) * size; value <= high + 1e-9 * size; value += size) out.push(Number(value.toPrecision(6)));
  return out;
}
function chart(host, { xs, ys, labels, lines, series: all, diagonal, legend = true }) {
  const points = all.flatMap((each, s) => each.points.map(point => ({ point, s }))), said = make("div", "", { class: "said", "aria-live": "polite" });
  const svg = draw("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: 0, role: "group", "aria-label": `${labels[1]} against ${labels[0]}; arrows choose a point, Enter shows its picture` });
  const [x0, x1] = xs[0] < xs[1] ? xs : [xs[0] - 0.5, xs[0] + 0.5], [y0, y1] = ys[0] < ys[1] ? ys : [ys[0] - 0.5, ys[0] + 0.5];
  const px = x => LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT), py = y => HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM);
  for (const x of ticks(x0, x1)) svg.append(draw("path", { d: `M${px(x)} ${TOP}V${HEIGHT - BOTTOM}`, class: "grid" }), draw("text", { x: px(x), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, x));
  for (const y of ticks(y0, y1)) svg.append(draw("path", { d: `M${LEFT} ${py(y)}H${WIDTH - RIGHT}`, class: "grid" }), draw("text", { x: LEFT - 6, y: py(y) + 4, "text-anchor": "end" }, y));
  svg.append(draw("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, labels[0]));
  svg.append(draw("text", { transform: `translate(12 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, labels[1]));
  if (diagonal) { const a = Math.max(x0, y0), b = Math.min(x1, y1); svg.append(draw("path", { d: `M${px(a)} ${py(a)}L${px(b)} ${py(b)}`, stroke: "var(--quiet)", "stroke-dasharray": "5 4" })); }
  all.forEach((each, s) => lines && svg.append(draw("path", { d: "M" + each.points.map(([x, y]) => `${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("L"), fill: "none", stroke: colour(each.colour), "stroke-width": 2, "stroke-dasharray": ["", "6 4", "2 3"][Math.floor(each.colour / COLOURS) % 3] })));
  const dots = points.map(({ point, s }) => draw("circle", { cx: px(point[0]).toFixed(1), cy: py(point[1]).toFixed(1), r: lines ? 4 : 4.5, fill: colour(all[s].colour), "fill-opacity": lines ? 1 : 0.75 }));
  svg.append(...dots);
  let now = -1;
  const choose = number => {
    dots[now]?.classList.remove("now");
    now = number;
    dots[now].classList.add("now");
    const { point, s } = points[now];
    said.textContent = `${all[s].title}: ${labels[0]} ${Number(point[0].toPrecision(4))}, ${labels[1]} ${Number(point[1].toPrecision(4))}${point[3] ? ", " + point[3] : ""}`;
  };
  const enter = () => now >= 0 && points[now].point[2]();
  svg.addEventListener("pointerover", event => dots.includes(event.target) && choose(dots.indexOf(event.target)));
  svg.addEventListener("click", event => { if (dots.includes(event.target)) { choose(dots.indexOf(event.target)); enter(); } });
  svg.addEventListener("keydown", event => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (by && points.length) { event.preventDefault(); choose((now + by + points.length) % points.length); }
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); enter(); }
  });
  const key = make("div", "", { class: "legend" });
  for (const each of legend ? all : []) { const item = make("span"), dot = make("i"); dot.style.background = colour(each.colour); item.append(dot, each.title); key.append(item); }
  host.replaceChildren(svg, said, key);
}
const span = (values, pad = 0) => { const low = Math.min(...values), high = Math.max(...values), more = pad * (high - low || 1); return [low - more, high + more]; };

/* One section's charts and worst cases, all of the samples of one image or of all. */
function explore(host, section) {
  const every = section.samples.map((_, number) => number), state = { image: "", x: 0, y: Math.min(1, section.rows.length - 1), metric: 0, row: 0, by: 0, curve: "iou", count: 12 };
  const select = (label, options, value, change) => {
    const made = make("select"), whole = make("label", label + " ");
    options.forEach(([key, text]) => made.append(make("option", text, { value: key })));
    made.value = value;
    made.addEventListener("change", () => { change(made.value); update(); });
    whole.append(made);
    return whole;
  };
  const rows = section.rows.map((title, number) => [number, title]), metrics = section.metrics.map((metric, number) => [number, metric.label]);
  const images = [...new Set(section.samples.map(sample => sample.image))].sort();
  const block = (title, note, ...controls) => {
    const whole = make("div"), bar = make("div", "", { class: "controls" }), plot = make("div");
    bar.append(...controls);
    whole.append(make("h4", title), bar, plot, make("p", note, { class: "quiet" }));
    return [whole, plot];
  };
  const filter = make("div", "", { class: "controls" }), charts = make("div", "", { class: "charts" }), cases = make("div", "", { class: "cases" });
  filter.append(select("image", [["", `all ${images.length}`], ...images.map(image => [image, image])], "", value => { state.image = value; state.count = 12; }), make("span", "", { class: "said", "aria-live": "polite" }));
  const drawn = [];
  const around = (list, value, row, why) => () => { // the samples of a point of means, from the median on
    const sorted = [...list].sort((a, b) => value(a) - value(b)), pictured = sorted.filter(sample => section.pictures[sample]);
    const items = (pictured.length ? pictured : sorted).map(sample => ({ section, sample, rows: [row], why }));
    open(items, Math.floor((items.length - 1) / 2));
  };
  if (section.ious) {
    const curves = [["iou", "mean IoU"], ...section.targets.map(target => [target, `share at IoU ${target}`])];
    const [whole, plot] = block("Course", "A session that ended keeps its last IoU. A point opens its samples, the median first.", select("curve", curves, "iou", value => { state.curve = value; }));
    charts.append(whole);
    drawn.push(list => {
      const last = section.ious[0][0].length - 1, target = Math.round(1000 * Number(state.curve)), all = section.rows.map((title, row) => {
        const points = [];
        for (let k = section.first; k <= last; k++) {
          const value = sample => section.ious[row][sample][k], hit = sample => Number(section.ious[row][sample].slice(0, k + 1).some(v => v >= target));
          points.push([k, state.curve === "iou" ? mean(list.map(value)) / 1000 : mean(list.map(hit)), around(list, value, row, `after ${k} interactions`)]);
        }
        return { title, colour: row, points };
      });
      const low = Math.min(...all.flatMap(each => each.points.map(point => point[1])));
      chart(plot, { xs: [section.first, last], ys: [state.curve === "iou" ? Math.max(0, Math.floor(low * 10 - 0.5) / 10) : 0, 1], labels: ["interactions", curves.find(each => each[0] === state.curve)[1]], lines: true, series: all });
    });
  }
  const timed = section.ious ? "Mean seconds that a session has taken after so many interactions. A point opens its samples, the median first." : "Seconds of each sample. A point opens its picture.";
  const [time, timePlot] = block("Time against interactions", timed);
  charts.append(time);
  drawn.push(list => {
    const all = section.rows.map((title, row) => {
      if (!section.ious) return { title, colour: row, points: list.map(sample => [section.said[row][sample], section.seconds[row][sample][0], () => open([{ section, sample, rows: [row], why: "" }], 0), section.samples[sample].name]) };
      const last = Math.max(...list.map(sample => section.seconds[row][sample].length)), sum = (sample, k) => section.seconds[row][sample].slice(0, k).reduce((a, b) => a + b, 0);
      return { title, colour: row, points: Array.from({ length: last }, (_, k) => [k + 1, mean(list.map(sample => sum(sample, k + 1))), around(list, sample => sum(sample, k + 1), row, `after ${k + 1} interactions`)]) };
    });
    const points = all.flatMap(each => each.points);
    chart(timePlot, { xs: span(points.map(point => point[0])), ys: [0, Math.max(...points.map(point => point[1]))], labels: ["interactions", "seconds"], lines: Boolean(section.ious), series: all });
  });
  if (section.rows.length > 1 && section.metrics.length) {
    const pick = name => value => { state[name] = Number(value); };
    const [whole, plot] = block("Sample by sample", "On the dashed line both rows are equal. A point opens both pictures.", select("across", rows, state.x, pick("x")), select("up", rows, state.y, pick("y")), select("by", metrics, 0, pick("metric")));
    charts.append(whole);
    drawn.push(list => {
      const { x, y, metric } = state, value = (row, sample) => section.scores[row][metric][sample], label = section.metrics[metric].label;
      const points = list.map((sample, number) => [value(x, sample), value(y, sample), () => open(list.map(each => ({ section, sample: each, rows: x === y ? [x] : [x, y], why: "" })), number), section.samples[sample].name]);
      const range = span(points.flatMap(point => point.slice(0, 2)), 0.04);
      chart(plot, { xs: range, ys: range, labels: [`${label}, ${brief(section.rows[x])}`, `${label}, ${brief(section.rows[y])}`], lines: false, diagonal: true, legend: false, series: [{ title: "sample", colour: 0, points }] });
    });
  }
  const worst = make("div"), bar = make("div", "", { class: "controls" }), more = make("button", "more", { type: "button" });
  if (section.metrics.length) {
    const kinds = [...metrics, ...section.rows.length > 1 ? metrics.map(([number, label]) => [`d${number}`, `${label}, behind the best of the others`]) : []];
    bar.append(select("of", rows, 0, value => { state.row = Number(value); state.count = 12; }), select("by", kinds, 0, value => { state.by = value; state.count = 12; }));
    worst.append(make("h4", "Worst cases"), bar, cases, more);
    more.addEventListener("click", () => { state.count += 24; update(); });
    drawn.push(list => {
      const behind = String(state.by).startsWith("d"), m = Number(String(state.by).replace("d", "")), metric = section.metrics[m], sign = metric.better === "high" ? 1 : -1;
      const value = (row, sample) => sign * section.scores[row][m][sample], others = section.rows.map((_, row) => row).filter(row => row !== state.row);
      const rank = sample => value(state.row, sample) - (behind ? Math.max(...others.map(row => value(row, sample))) : 0);
      const sorted = [...list].sort((a, b) => rank(a) - rank(b) || a - b), order = [state.row, ...others].slice(0, 6);
      const items = sorted.map(sample => ({ section, sample, rows: order, why: "" }));
      cases.replaceChildren(...sorted.slice(0, state.count).map((sample, number) => {
        const button = make("button", "", { type: "button" });
        if (section.pictures[sample]) button.append(picture(section, sample, state.row));
        button.append(make("span", `${metric.label} ${section.scores[state.row][m][sample].toFixed(metric.digits)}${behind ? ` (${rank(sample).toFixed(metric.digits)})` : ""}, ${section.samples[sample].name}`));
        button.addEventListener("click", () => open(items, number));
        return button;
      }));
      more.hidden = sorted.length <= state.count;
    });
  }
  host.append(make("h3", "Look closer"), filter, charts, worst);
  function update() {
    const list = every.filter(sample => !state.image || section.samples[sample].image === state.image);
    filter.querySelector(".said").textContent = `${list.length} of ${section.whole} samples` + (every.length < section.whole ? ` (the report holds ${every.length})` : "");
    drawn.forEach(each => each(list));
  }
  update();
}
for (const host of document.querySelectorAll(".explore")) explore(host, data[Number(host.dataset.section)]);
