// The pictures to start from: files, pasted and dropped ones, https addresses, and the mask of the first.

import { button, find, make, save, uniqueName } from "./dom.js";
import { paintMask } from "./mask.js";
import { say } from "./words.js";

const TYPES = ["image/png", "image/jpeg", "image/webp"];
const TYPE_BY_ENDING = { jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp" };

let inputs = []; // {name, blob, type, width, height, shown}, or {name, address, type}
let mask = null; // a PNG for the first of them
let masksWork = true;
let most = 16;
let changed = () => {};
let notify = () => {};

/** Attaches the listeners. */
export function startInputs({ onChange, onProblem }) {
  changed = onChange;
  notify = onProblem;
  find("#files").addEventListener("change", (event) => {
    addFiles([...event.target.files]);
    event.target.value = "";
  });
  find("#by-address").addEventListener("click", toggleAddress);
  find("#add-address").addEventListener("click", addTypedAddress);
  find("#address").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    addTypedAddress();
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || find("dialog[open]")) return;
    event.preventDefault();
    addFiles(files);
  });
  listenForDrops();
}

export const currentInputs = () => inputs;
export const currentMask = () => mask;

/** Uses these pictures instead. */
export function setInputs(given, givenMask) {
  inputs = [...given];
  mask = givenMask;
  showInputs();
}

/** Applies a model's limit, and whether the chosen API has masks. */
export function limitInputs(limit, withMasks) {
  most = limit;
  masksWork = withMasks;
  for (const tool of document.querySelectorAll(".mask-tool")) tool.hidden = !withMasks;
}

// ---- adding ----

function listenForDrops() {
  const over = (is) => document.documentElement.classList.toggle("dropping", is);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const files = [...(event.dataTransfer?.files ?? [])];
    const links = (event.dataTransfer?.getData("text/uri-list") || event.dataTransfer?.getData("text/plain") || "").split(/\s+/);
    if (files.length) addFiles(files);
    else links.filter((link) => link && !link.startsWith("#")).slice(0, most).forEach(addAddress);
  });
}

function toggleAddress() {
  const row = find("#address-row");
  row.hidden = !row.hidden;
  find("#by-address").setAttribute("aria-expanded", String(!row.hidden));
  if (!row.hidden) find("#address").focus();
}

function addTypedAddress() {
  const field = find("#address");
  if (!addAddress(field.value.trim())) return;
  field.value = "";
  toggleAddress();
  find("#by-address").focus();
}

/** Adds the picture at an https address, which the model's server opens. Returns whether it is one. */
function addAddress(text) {
  if (!URL.canParse(text) || new URL(text).protocol !== "https:") {
    notify(say("not_an_address"));
    return false;
  }
  if (!hasRoom()) return false;
  const name = decodeURI(new URL(text).pathname).split("/").pop() || new URL(text).host;
  inputs.push({ name, address: text, type: TYPE_BY_ENDING[name.split(".").pop().toLowerCase()] ?? "image/png" });
  showInputs();
  changed();
  return true;
}

/** Adds input pictures; files that are not pictures are reported. */
export async function addFiles(files) {
  for (const file of files) {
    if (!hasRoom()) break;
    const input = await readInput(file);
    if (input) inputs.push(input);
    else notify(say("not_a_picture", { name: file.name }));
  }
  showInputs();
  changed();
}

function hasRoom() {
  if (inputs.length < most) return true;
  notify(say("too_many", { most }));
  return false;
}

async function readInput(file) {
  if (!TYPES.includes(file.type)) return null;
  try {
    // The stored pixels, without EXIF rotation: a mask must match those.
    const blob = new Blob([await file.arrayBuffer()], { type: file.type }); // a copy: the file may be gone when it is sent
    const bitmap = await createImageBitmap(blob, { imageOrientation: "none" });
    const taken = inputs.map((input) => input.name);
    const { width, height } = bitmap;
    bitmap.close();
    return { name: uniqueName(file.name, taken), blob, type: blob.type, width, height };
  } catch {
    return null;
  }
}

function removeInput(input) {
  if (inputs[0] === input) mask = null;
  inputs = inputs.filter((other) => other !== input);
  showInputs();
  changed();
  find("#files").focus();
}

// ---- showing ----

/** Shows the pictures in the current language. */
export function showInputs() {
  find("#inputs").replaceChildren(...inputs.map(showInput));
  limitInputs(most, masksWork);
}

function showInput(input, index) {
  const remove = button("round", "×", () => removeInput(input), { "aria-label": say("remove", { name: input.name }) });
  return make(
    "li",
    {},
    make("span", { class: "thumb" }, faceOf(input)),
    make(
      "span",
      { class: "about" },
      make("span", { class: "name", title: input.address ?? input.name }, input.name),
      make("span", { class: "pixels" }, input.address ? new URL(input.address).host : `${input.width}×${input.height}`),
      ...(index === 0 && !input.address ? maskTools() : []),
    ),
    remove,
  );
}

function faceOf(input) {
  if (input.address) return make("span", { class: "link-face", "aria-hidden": "true" }, "↗");
  input.shown ??= URL.createObjectURL(input.blob);
  return make("img", { src: input.shown, alt: "" });
}

function maskTools() {
  const tool = (words, onclick) => button("link mask-tool", say(words), onclick);
  if (!mask) return [tool("mask_paint", editMask)];
  const remove = () => {
    mask = null;
    showInputs();
    changed();
  };
  return [tool("mask_edit", editMask), tool("mask_save", () => save(mask, "mask.png")), tool("mask_remove", remove)];
}

async function editMask() {
  const painted = await paintMask(inputs[0], mask);
  if (painted !== undefined) mask = painted;
  showInputs();
  changed();
  find(".mask-tool")?.focus();
}
