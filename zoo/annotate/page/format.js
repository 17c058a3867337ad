/** Numbers as people read them. */

/** The area of an object: in square micrometres where its resolution is known. */
export function area({ area: pixels, area_um2: um2 }) {
  if (um2 === null || um2 === undefined) return `${round(pixels)} px²`;
  return um2 < 1e5 ? `${round(um2)} µm²` : `${round(um2 / 1e6)} mm²`;
}

/** The time of the last update: all of it. */
export function time({ milliseconds }) {
  const all = typeof milliseconds === "object" ? milliseconds?.all : milliseconds;
  if (!all) return "";
  return all < 1000 ? `${Math.round(all)} ms` : `${(all / 1000).toFixed(1)} s`;
}

/** The size and resolution of an image. */
export function facts({ width, height, mpp }) {
  return `${count(width)} × ${count(height)} px${mpp ? ` · ${mpp.toFixed(3).replace(/0+$/, "")} µm/px` : ""}`;
}

/** A whole number with thin spaces between thousands. */
export function count(value) {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

function round(value) {
  return value >= 100 ? count(value) : Number(value.toPrecision(3)).toString();
}
