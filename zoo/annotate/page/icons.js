/** The drawings on buttons: lines in a square of 20, in the colour of the text. */
const LINES = {
  hand: "M6 10V5.5a1.3 1.3 0 0 1 2.6 0V9 4a1.3 1.3 0 0 1 2.6 0v5-4a1.3 1.3 0 0 1 2.6 0v5.5-2.7a1.3 1.3 0 0 1 2.6 0V12c0 3.5-2.2 5.5-5.2 5.5-2.6 0-3.7-1-5-3.2L3.8 10.6c-.9-1.7 1.1-2.7 2.2-1.1z",
  "click+": "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM10 6.5v7M6.5 10h7",
  "click-": "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM6.5 10h7",
  "scribble+": "M2.5 13c2.5-7 5-7 5.5-3.5s2 4 3.5 0S15 6.5 15.5 8.5M15 11.5v6M12 14.5h6",
  "scribble-": "M2.5 13c2.5-7 5-7 5.5-3.5s2 4 3.5 0S15 6.5 15.5 8.5M12 14.5h6",
  box: "M3.5 5V3.5H5M8 3.5h4M15 3.5h1.5V5M16.5 8v4M16.5 15v1.5H15M12 16.5H8M5 16.5H3.5V15M3.5 12V8",
  "lasso+": "M7 12.5C4.5 12 2.5 10.5 2.5 8c0-3 3.4-5 7.5-5s7.5 2 7.5 5M7 12.5c1.5 2 .5 4-1.5 4.5M7 12.5c2 .3 3.3 0 4-.3M15 10.5v6M12 13.5h6",
  "lasso-": "M7 12.5C4.5 12 2.5 10.5 2.5 8c0-3 3.4-5 7.5-5s7.5 2 7.5 5M7 12.5c1.5 2 .5 4-1.5 4.5M7 12.5c2 .3 3.3 0 4-.3M12 13.5h6",
  eraser: "M11.5 3.5l5 5-7.5 8H6.5L3 13zM7 8.5l5 5M6.5 16.5H17",
  undo: "M7 4L3.5 7.5 7 11M4 7.5h8a4.5 4.5 0 0 1 0 9H8",
  redo: "M13 4l3.5 3.5L13 11M16 7.5H8a4.5 4.5 0 0 0 0 9h4",
  new: "M10 4v12M4 10h12",
  close: "M5.5 5.5l9 9M14.5 5.5l-9 9",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.7 2.2c-.8.5-1.2 1-1.2 2.3M10 14.8v.2M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15z",
  theme: "M10 2.5a7.5 7.5 0 1 0 0 15zM10 2.5a7.5 7.5 0 0 1 0 15",
  drawer: "M3 4h14v12H3zM12.5 4v12",
  folder: "M2.5 15.5v-11h5l1.5 2h8.5v9z",
  fit: "M3.5 7V3.5H7M13 3.5h3.5V7M16.5 13v3.5H13M7 16.5H3.5V13",
};

/** An SVG element; decorative, so that the button's own label is what is read out. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", LINES[name]);
  svg.append(path);
  return svg;
}
