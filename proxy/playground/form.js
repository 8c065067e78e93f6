// The form: reads and restores the settings of a request, and reports every change.

import { fileName, find, make, save } from "./dom.js";
import { paintMask } from "./mask.js";
import { endpoint } from "./requests.js";
import { isExample, say } from "./words.js";

const TYPES = ["image/png", "image/jpeg", "image/webp"];
const SANDBOX = "sandbox";

const camera = find("#camera");
const sandboxIsOn = document.documentElement.dataset.sandbox === "on";
const fields = {
  prompt: find("#prompt"),
  key: find("#key"),
  tier: find("#tier"),
  n: find("#n"),
  format: find("#format"),
  response: find("#response"),
  stream: find("#stream"),
};

let model = { id: "gemini-2.5-flash-image", aspect_ratios: {}, image_sizes: {}, limits: { n: 10, input_images: 16 } };
let inputs = []; // {name, blob, type, width, height, url}
let mask = null; // a PNG for the first of them
let changed = () => {};
let notify = () => {};

/** Attaches the listeners. `onChange` is called on every change, `onProblem` with a message for the user. */
export function startForm({ onChange, onProblem }) {
  changed = () => {
    showSurface();
    onChange();
  };
  notify = onProblem;
  fields.prompt.value = say("prompt_first");
  fields.key.value = sandboxIsOn ? SANDBOX : "";
  camera.addEventListener("input", () => changed());
  for (const [id, step] of [
    ["#fewer", -1],
    ["#more", 1],
  ])
    find(id).addEventListener("click", () => stepCount(step));
  fields.n.addEventListener("change", () => stepCount(0));
  find("#use-sandbox").addEventListener("click", useSandbox);
  find("#files").addEventListener("change", (event) => {
    addFiles([...event.target.files]);
    event.target.value = "";
  });
  listenForPictures();
  showRatios("");
}

/** Applies the aspect ratios, tiers and limits of the served model. */
export function useModel(served) {
  model = served;
  fields.n.max = model.limits.n;
  const tiers = Object.keys(model.image_sizes);
  find("#tier-row").hidden = !tiers.length;
  fields.tier.replaceChildren(
    make("option", { value: "", "data-words": "tier_default" }, say("tier_default")),
    ...tiers.map((tier) => make("option", {}, tier)),
  );
  showRatios(chosenRatio());
  changed();
}

/** The form's values: all that a call and its code need, without fields that the chosen API does not have. */
export function readRequest() {
  const surface = chosenSurface();
  const ratio = chosenRatio();
  const tier = fields.tier.value;
  const openai = surface === "openai";
  return {
    surface,
    prompt: fields.prompt.value.trim(),
    key: fields.key.value.trim(),
    model: model.id,
    upstream: model.upstream_model,
    prices: model.pricing ?? null,
    ratio,
    tier,
    size: ratio ? ((model.image_sizes[tier] ?? model.aspect_ratios)[ratio] ?? "") : "",
    n: openai ? count() : 1,
    format: openai ? fields.format.value : "",
    response: openai && !fields.stream.checked ? fields.response.value : "b64_json",
    stream: fields.stream.checked,
    inputs: [...inputs],
    mask: openai ? mask : null,
  };
}

/** Fills the form with an earlier request; the key is not changed. */
export function restoreRequest(request) {
  camera.elements.surface.value = request.surface;
  fields.prompt.value = request.prompt;
  fields.tier.value = request.tier;
  fields.stream.checked = request.stream;
  if (request.surface === "openai") {
    fields.n.value = request.n;
    fields.format.value = request.format;
    if (!request.stream) fields.response.value = request.response;
  }
  inputs = [...request.inputs];
  mask = request.mask;
  showRatios(request.ratio);
  showInputs();
  changed();
}

/** Fills in a prompt and focuses it. */
export function suggestPrompt(text) {
  fields.prompt.value = text;
  fields.prompt.focus();
  changed();
}

/** Applies a change of language; an unchanged example prompt is translated too. */
export function translateForm() {
  if (isExample(fields.prompt.value)) fields.prompt.value = say("prompt_first");
  showRatios(chosenRatio());
  showInputs();
  showSurface();
}

/** The first required field that is empty, with the key of its message; null if there is none. */
export function missing() {
  if (!fields.prompt.value.trim()) return [fields.prompt, "need_prompt"];
  if (!fields.key.value.trim()) return [fields.key, "need_key"];
  return null;
}

/** The expected aspect ratio of the result: width over height. */
export function expectedShape(request) {
  const [width, height] = request.ratio ? request.ratio.split(":").map(Number) : [];
  if (width && height) return width / height;
  const [first] = request.inputs;
  return first ? Math.min(8, Math.max(1 / 8, first.width / first.height)) : 1;
}

// ---- surface, shape, settings ----

const chosenSurface = () => camera.elements.surface.value;

function chosenRatio() {
  return camera.querySelector('input[name="ratio"]:checked')?.value ?? "";
}

function count() {
  const wanted = Math.round(Number(fields.n.value)) || 1;
  return Math.min(model.limits.n, Math.max(1, wanted));
}

function stepCount(step) {
  fields.n.value = Math.min(model.limits.n, Math.max(1, count() + step));
  changed();
}

function showRatios(chosen) {
  const ratios = ["", ...Object.keys(model.aspect_ratios)];
  find("#ratios").replaceChildren(...ratios.map((ratio) => ratioChoice(ratio, ratio === chosen)));
}

/** A radio button with a small frame of its ratio. */
function ratioChoice(ratio, chosen) {
  const frame = make("i", { "aria-hidden": "true", class: ratio ? "shape" : "shape auto" });
  const [width, height] = ratio ? ratio.split(":").map(Number) : [1, 1];
  const longest = Math.max(width, height);
  frame.style.width = `${Math.max(3, Math.round((24 * width) / longest))}px`;
  frame.style.height = `${Math.max(3, Math.round((24 * height) / longest))}px`;
  const input = make("input", { type: "radio", name: "ratio", value: ratio });
  input.checked = chosen;
  return make(
    "label",
    { class: "ratio" },
    input,
    make("span", { class: "box" }, frame),
    make("span", {}, ratio || say("ratio_auto")),
  );
}

function showSurface() {
  const surface = chosenSurface();
  const openai = surface === "openai";
  document.documentElement.dataset.surface = surface;
  find("#openai-only").disabled = !openai;
  find("#openai-only-note").hidden = openai;
  fields.response.disabled = fields.stream.checked;
  find("#endpoint").textContent = `POST ${endpoint(readRequest())}`;
  showKeyHint();
  for (const element of document.querySelectorAll(".mask-tool")) element.hidden = !openai;
}

function showKeyHint() {
  const isSandbox = fields.key.value.trim() === SANDBOX;
  find("#use-sandbox").hidden = !sandboxIsOn || isSandbox;
  fields.key.classList.toggle("secret", !isSandbox);
  const words = sandboxIsOn && isSandbox ? "key_sandbox" : sandboxIsOn ? "key_offer" : "key_own";
  find("#key-hint").textContent = say(words);
}

function useSandbox() {
  fields.key.value = SANDBOX;
  fields.key.focus();
  changed();
}

// ---- input pictures ----

function listenForPictures() {
  const drop = find("#drop");
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length && !find("dialog[open]")) {
      event.preventDefault();
      addFiles(files);
    }
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    addFiles([...(event.dataTransfer?.files ?? [])]);
  });
}

/** Adds input pictures; files that are not pictures are reported. */
export async function addFiles(files) {
  for (const file of files) {
    if (inputs.length >= model.limits.input_images) {
      notify(say("too_many", { most: model.limits.input_images }));
      break;
    }
    const input = await readInput(file);
    if (input) inputs.push(input);
    else notify(say("not_a_picture", { name: file.name }));
  }
  showInputs();
  changed();
}

async function readInput(file) {
  if (!TYPES.includes(file.type)) return null;
  try {
    // The stored pixels, without EXIF rotation: a mask must match those.
    const blob = new Blob([await file.arrayBuffer()], { type: file.type }); // a copy: the file may be gone when it is sent
    const bitmap = await createImageBitmap(blob, { imageOrientation: "none" });
    const name = fileName(
      file.name,
      inputs.map((input) => input.name),
    );
    const { width, height } = bitmap;
    bitmap.close();
    return { name, blob, type: blob.type, width, height, url: URL.createObjectURL(blob) };
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

function showInputs() {
  find("#inputs").replaceChildren(...inputs.map(showInput));
  showSurface();
}

function showInput(input, index) {
  const title = make("span", { class: "name", title: input.name }, input.name);
  const remove = make(
    "button",
    {
      type: "button",
      class: "round",
      "aria-label": say("remove", { name: input.name }),
      onclick: () => removeInput(input),
    },
    "×",
  );
  const picture = make("span", { class: "thumb" }, make("img", { src: input.url, alt: "" }), remove);
  const tools = index === 0 ? maskTools() : [];
  return make(
    "li",
    {},
    picture,
    make(
      "span",
      { class: "about" },
      title,
      make("span", { class: "pixels" }, `${input.width}×${input.height}`),
      ...tools,
    ),
  );
}

function maskTools() {
  const tool = (words, onclick) => make("button", { type: "button", class: "link mask-tool", onclick }, say(words));
  if (!mask) return [tool("mask_paint", editMask)];
  return [
    tool("mask_edit", editMask),
    tool("mask_save", () => save(mask, "mask.png")),
    tool("mask_remove", () => {
      mask = null;
      showInputs();
      changed();
    }),
  ];
}

async function editMask() {
  const painted = await paintMask(inputs[0], mask);
  if (painted !== undefined) mask = painted;
  showInputs();
  changed();
  find(".mask-tool")?.focus();
}
