// The mask editor: paints a PNG of the first input picture's size, transparent where the model may change it.

import { find } from "./dom.js";

const dialog = find("#mask");
const canvas = find("#mask-canvas");
const cursor = find("#mask-cursor");
const brush = find("#brush");

const MAX_UNDO_STEPS = 30;
const SHADE = "rgba(20, 24, 24, .62)";

/** Opens the editor. Resolves to the new mask, null for an empty one, or undefined if the user goes back. */
export async function paintMask(input, earlier) {
  const picture = await createImageBitmap(input.blob, { imageOrientation: "none" });
  const editor = new MaskEditor(picture);
  if (earlier) await editor.load(earlier);
  const listening = new AbortController();
  const { signal } = listening;
  editor.listen(signal);
  dialog.showModal();
  editor.show();
  canvas.focus();
  const result = await new Promise((resolve) => {
    const end = (value) => () => resolve(value());
    find("#mask-keep").addEventListener(
      "click",
      end(() => editor.mask()),
      { signal },
    );
    find("#mask-cancel").addEventListener(
      "click",
      end(() => undefined),
      { signal },
    );
    dialog.addEventListener(
      "cancel",
      end(() => undefined),
      { signal },
    );
  });
  listening.abort();
  dialog.close();
  picture.close();
  return result;
}

/** The picture with the mask over it. The layer is opaque where the picture stays unchanged. */
class MaskEditor {
  constructor(picture) {
    this.picture = picture;
    this.width = picture.width;
    this.height = picture.height;
    canvas.width = this.width;
    canvas.height = this.height;
    canvas.style.aspectRatio = `${this.width} / ${this.height}`;
    canvas.style.setProperty("--ratio", this.width / this.height);
    this.layer = new OffscreenCanvas(this.width, this.height);
    this.pen = this.layer.getContext("2d", { willReadFrequently: true });
    this.pen.lineCap = "round";
    this.pen.lineJoin = "round";
    this.fill();
    this.steps = [];
    this.spot = { x: this.width / 2, y: this.height / 2 };
    this.last = null;
  }

  fill() {
    this.pen.globalCompositeOperation = "source-over";
    this.pen.fillStyle = "#000";
    this.pen.fillRect(0, 0, this.width, this.height);
  }

  async load(blob) {
    const bitmap = await createImageBitmap(blob);
    this.pen.clearRect(0, 0, this.width, this.height);
    this.pen.drawImage(bitmap, 0, 0);
    bitmap.close();
  }

  /** The brush's width in pixels of the picture. */
  get size() {
    return Math.max(2, (Math.min(this.width, this.height) * Number(brush.value)) / 100);
  }

  listen(signal) {
    const on = (target, name, listener) => target.addEventListener(name, listener, { signal });
    on(canvas, "pointerdown", (event) => this.press(event));
    on(canvas, "pointermove", (event) => this.move(event));
    on(canvas, "pointerup", () => this.lift());
    on(canvas, "pointercancel", () => this.lift());
    on(canvas, "keydown", (event) => this.key(event));
    on(brush, "input", () => this.show());
    on(window, "resize", () => this.show());
    on(find("#mask-undo"), "click", () => this.undo());
    on(find("#mask-invert"), "click", () => this.change(() => this.invert()));
    on(find("#mask-clear"), "click", () => this.change(() => this.fill()));
  }

  // ---- pointer and keys ----

  press(event) {
    event.preventDefault();
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    this.remember();
    this.last = this.place(event);
    this.stroke(this.last);
  }

  move(event) {
    this.spot = this.place(event);
    if (this.last) this.stroke(this.spot);
    else this.show();
  }

  lift() {
    this.last = null;
  }

  place(event) {
    const box = canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.width,
      y: ((event.clientY - box.top) / box.height) * this.height,
    };
  }

  key(event) {
    const step = this.size / 2;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const sizes = { "[": -2, "]": 2 };
    if (moves[event.key]) this.walk(...moves[event.key]);
    else if (event.key === " ") this.change(() => this.dab());
    else if (sizes[event.key]) brush.value = Number(brush.value) + sizes[event.key];
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else return;
    event.preventDefault();
    this.show();
  }

  walk(x, y) {
    this.spot.x = Math.min(this.width, Math.max(0, this.spot.x + x));
    this.spot.y = Math.min(this.height, Math.max(0, this.spot.y + y));
  }

  // ---- painting ----

  stroke(to) {
    const from = this.last ?? to;
    this.pen.globalCompositeOperation = "destination-out";
    this.pen.lineWidth = this.size;
    this.pen.beginPath();
    this.pen.moveTo(from.x, from.y);
    this.pen.lineTo(to.x + 0.01, to.y);
    this.pen.stroke();
    this.last = to;
    this.spot = to;
    this.show();
  }

  dab() {
    this.stroke({ ...this.spot });
    this.last = null;
  }

  invert() {
    this.pen.globalCompositeOperation = "source-out";
    this.pen.fillStyle = "#000";
    this.pen.fillRect(0, 0, this.width, this.height);
  }

  change(act) {
    this.remember();
    act();
    this.show();
  }

  remember() {
    const copy = new OffscreenCanvas(this.width, this.height);
    copy.getContext("2d").drawImage(this.layer, 0, 0);
    this.steps.push(copy);
    if (this.steps.length > MAX_UNDO_STEPS) this.steps.shift();
  }

  undo() {
    const before = this.steps.pop();
    if (!before) return;
    this.pen.globalCompositeOperation = "copy";
    this.pen.drawImage(before, 0, 0);
    this.show();
  }

  /** Draws the picture, shaded where it stays unchanged. */
  show() {
    const view = canvas.getContext("2d");
    view.globalCompositeOperation = "source-over";
    view.clearRect(0, 0, this.width, this.height);
    view.drawImage(this.layer, 0, 0);
    view.globalCompositeOperation = "source-in";
    view.fillStyle = SHADE;
    view.fillRect(0, 0, this.width, this.height);
    view.globalCompositeOperation = "destination-over";
    view.drawImage(this.picture, 0, 0);
    this.showCursor();
  }

  showCursor() {
    const scale = canvas.clientWidth / this.width;
    const size = this.size * scale;
    cursor.style.width = `${size}px`;
    cursor.style.height = `${size}px`;
    cursor.style.left = `${canvas.offsetLeft + this.spot.x * scale - size / 2}px`;
    cursor.style.top = `${canvas.offsetTop + this.spot.y * scale - size / 2}px`;
  }

  // ---- the result ----

  mask() {
    return this.isUntouched() ? null : this.layer.convertToBlob({ type: "image/png" });
  }

  isUntouched() {
    const { data } = this.pen.getImageData(0, 0, this.width, this.height);
    for (let index = 3; index < data.length; index += 4) if (data[index] < 255) return false;
    return true;
  }
}
