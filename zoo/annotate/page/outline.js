/** From a mask to the lines around it: marching squares, corners cut at half a pixel. */

/**
 * The closed lines around what is over 127, as lists of x, y in pixels of the mask; the object lies to the left of
 * each line, so that holes run the other way round.
 *
 * @param {ArrayLike<number>} values row by row
 * @param {number} width
 * @param {number} height
 * @returns {number[][]} each [x0, y0, x1, y1, ...]
 */
export function trace(values, width, height) {
  // A cell lies between four pixel centres; cells reach one pixel over the edge, where nothing is.
  const across = width + 1;
  const next = new Map(); // the point where a line ends in a cell -> the point where it goes on
  const at = (x, y) => (x >= 0 && y >= 0 && x < width && y < height && values[y * width + x] > 127 ? 1 : 0);
  for (let y = -1; y < height; y++) {
    let left = 0; // of the cell: bit 1 its upper, bit 2 its lower pixel
    for (let x = -1; x < width; x++) {
      const right = at(x + 1, y) | (at(x + 1, y + 1) << 1);
      if (left !== right || left === 1 || left === 2) {
        const corner = 2 * ((y + 1) * (across + 1) + x + 1); // an even number a cell's top, odd its left side
        const side = { top: corner, left: corner + 1, bottom: corner + 2 * (across + 1), right: corner + 3 };
        for (const [from, to] of LINES[left | (right << 2)]) next.set(side[from], side[to]);
      }
      left = right;
    }
  }
  return [...loops(next, across)];
}

/** Lines of a cell by which of its pixels are inside: 1 upper left, 2 lower left, 4 upper right, 8 lower right. */
const LINES = {
  0: [], 15: [],
  1: [["left", "top"]], 14: [["top", "left"]],
  2: [["bottom", "left"]], 13: [["left", "bottom"]],
  4: [["top", "right"]], 11: [["right", "top"]],
  8: [["right", "bottom"]], 7: [["bottom", "right"]],
  3: [["bottom", "top"]], 12: [["top", "bottom"]],
  5: [["left", "right"]], 10: [["right", "left"]],
  9: [["left", "top"], ["right", "bottom"]], 6: [["bottom", "left"], ["top", "right"]],
};

function* loops(next, across) {
  const row = across + 1;
  const place = (key) => {
    const cell = key >> 1;
    const [x, y] = [(cell % row) - 0.5, Math.floor(cell / row) - 0.5];
    return key & 1 ? [x, y + 0.5] : [x + 0.5, y]; // the middle of the cell's left side, of its top
  };
  while (next.size) {
    const line = [];
    const [first] = next.keys();
    for (let key = first; next.has(key); ) {
      line.push(...place(key));
      const following = next.get(key);
      next.delete(key);
      key = following;
    }
    yield line;
  }
}

/** The lines as one path that canvas can fill and stroke, moved by `x` and `y`. */
export function path(lines, x = 0, y = 0) {
  const drawn = new Path2D();
  for (const line of lines) {
    drawn.moveTo(line[0] + x, line[1] + y);
    for (let i = 2; i < line.length; i += 2) drawn.lineTo(line[i] + x, line[i + 1] + y);
    drawn.closePath();
  }
  return drawn;
}
