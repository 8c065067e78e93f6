// The camera: what is to be taken, and how. Tells its listener whenever anything changes.

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
let complain = () => {};

/** Begins to listen. `onChange` hears of every change, `onTrouble` of what the reader should be told. */
export function startForm({ onChange, onTrouble }) {
  changed = () => {
    showSurface();
    onChange();
  };
  complain = onTrouble;
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

/** Shapes, tiers and limits of the model that is served. */
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

/** What the form says, complete: all that a call and its code need. What the surface lacks is left out. */
export function readShot() {
  const surface = chosenSurface();
  const ratio = chosenRatio();
  const tier = fields.tier.value;
  const openai = surface === "openai";
  return {
    surface,
    prompt: fields.prompt.value.trim(),
    key: fields.key.value.trim(),
    model: model.id,
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

/** Sets the form as it was for an earlier shot; the key stays as it is. */
export function restoreShot(shot) {
  camera.elements.surface.value = shot.surface;
  fields.prompt.value = shot.prompt;
  fields.tier.value = shot.tier;
  fields.stream.checked = shot.stream;
  if (shot.surface === "openai") {
    fields.n.value = shot.n;
    fields.format.value = shot.format;
    if (!shot.stream) fields.response.value = shot.response;
  }
  inputs = [...shot.inputs];
  mask = shot.mask;
  showRatios(shot.ratio);
  showInputs();
  changed();
}

/** Writes a prompt for the reader, and lets him go on with it. */
export function suggestPrompt(text) {
  fields.prompt.value = text;
  fields.prompt.focus();
  changed();
}

/** After the language has changed: an example that nobody touched speaks it too. */
export function retellForm() {
  if (isExample(fields.prompt.value)) fields.prompt.value = say("prompt_first");
  showRatios(chosenRatio());
  showInputs();
  showSurface();
}

/** The field that keeps a shot from being taken, if there is one: its element and what to say. */
export function missing() {
  if (!fields.prompt.value.trim()) return [fields.prompt, "need_prompt"];
  if (!fields.key.value.trim()) return [fields.key, "need_key"];
  return null;
}

/** The shape that the picture will have, as far as it can be foreseen: width over height. */
export function expectedShape(shot) {
  const [width, height] = shot.ratio ? shot.ratio.split(":").map(Number) : [];
  if (width && height) return width / height;
  const [first] = shot.inputs;
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

/** A shape to choose: a little frame of that very ratio. */
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
  find("#endpoint").textContent = `POST ${endpoint(readShot())}`;
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

/** Adds pictures to start from; what is none is told. */
export async function addFiles(files) {
  for (const file of files) {
    if (inputs.length >= model.limits.input_images) {
      complain(say("too_many", { most: model.limits.input_images }));
      break;
    }
    const input = await readInput(file);
    if (input) inputs.push(input);
    else complain(say("not_a_picture", { name: file.name }));
  }
  showInputs();
  changed();
}

async function readInput(file) {
  if (!TYPES.includes(file.type)) return null;
  try {
    // The pixels as they are stored: a mask is held against those, not against a camera's notion of upright.
    const blob = new Blob([await file.arrayBuffer()], { type: file.type }); // the file may be gone when it is sent
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
