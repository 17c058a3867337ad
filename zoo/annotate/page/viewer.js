/** The image under OpenSeadragon, and where its pixels lie on the screen. */
import { address } from "./api.js";

/* global OpenSeadragon */
let viewer = null;

/** Begin with an empty viewer; `redraw` is called whenever the view moved. */
export function begin(redraw) {
  const still = { clickToZoom: false, dblClickToZoom: false, flickEnabled: false };
  viewer = OpenSeadragon({
    id: "viewer",
    drawer: "canvas",
    showNavigationControl: false,
    animationTime: 0.25,
    springStiffness: 10,
    minZoomImageRatio: 0.5,
    maxZoomPixelRatio: 24,
    visibilityRatio: 0.3,
    zoomPerScroll: 1.3,
    imageSmoothingEnabled: true,
    clickTimeThreshold: 2000, // slow clicks are clicks
    gestureSettingsMouse: still,
    gestureSettingsTouch: still,
    gestureSettingsPen: still,
    gestureSettingsUnknown: still,
  });
  // Keys are ours alone (keys.js).
  viewer.innerTracker.keyHandler = viewer.innerTracker.keyDownHandler = null;
  for (const event of ["update-viewport", "open", "resize", "animation"]) viewer.addHandler(event, redraw);
  return viewer;
}

/** Show an image of the server. Resolves when it can be drawn. */
export function show({ image, width, height, tile, levels }) {
  return new Promise((done) => {
    viewer.addOnceHandler("open", done);
    viewer.open({
      width,
      height,
      tileSize: tile,
      tileOverlap: 0,
      minLevel: 0,
      maxLevel: levels - 1,
      getTileUrl: (level, column, row) => address(`tile/${level}/${column}_${row}.jpg`, { image }),
    });
  });
}

/** How image pixels come on the screen: `screen = image * scale + offset`, in CSS pixels of the viewer; null: no image. */
export function frame() {
  const item = viewer?.world.getItemAt(0);
  if (!item) return null;
  const origin = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(0, 0));
  const along = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(1000, 0));
  return { scale: (along.x - origin.x) / 1000, x: origin.x, y: origin.y };
}

/** The pixel of the image, [x, y], under a point of the viewer. */
export function toImage({ x, y }) {
  const at = frame();
  return [(x - at.x) / at.scale, (y - at.y) / at.scale];
}

/** The point of the viewer, [x, y], where a pixel of the image lies. */
export function toScreen([x, y], at = frame()) {
  return [x * at.scale + at.x, y * at.scale + at.y];
}

/** The part of an image of this size that is in view, as a box of whole pixels; null: none of it. */
export function visible({ width, height }) {
  const { clientWidth, clientHeight } = viewer.element;
  const [x0, y0] = toImage({ x: 0, y: 0 }).map((v) => Math.max(0, Math.floor(v)));
  const far = toImage({ x: clientWidth, y: clientHeight });
  const [x1, y1] = [Math.min(width, Math.ceil(far[0])), Math.min(height, Math.ceil(far[1]))];
  return x1 > x0 && y1 > y0 ? [x0, y0, x1 - x0, y1 - y0] : null;
}

/** Bring a box into view with some room around it; null: the whole image. */
export function fit(box) {
  const item = viewer.world.getItemAt(0);
  if (!item) return;
  if (!box) return void viewer.viewport.goHome();
  const [x, y, width, height] = box;
  const room = 0.75 * Math.max(width, height, 64);
  viewer.viewport.fitBounds(item.imageToViewportRectangle(x - room, y - room, width + 2 * room, height + 2 * room));
}

/** Zoom by a factor about the middle. */
export function zoom(factor) {
  viewer.viewport.zoomBy(factor);
  viewer.viewport.applyConstraints();
}

/** Move by a share of what is in view. */
export function pan(x, y) {
  const { width, height } = viewer.viewport.getBounds();
  viewer.viewport.panBy(new OpenSeadragon.Point(x * width, y * height));
  viewer.viewport.applyConstraints();
}
