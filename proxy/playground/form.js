// The form: reads and restores the settings of a request, and reports every change.

import { find, make } from "./dom.js";
import { keepDraft, readDraft } from "./history.js";
import { currentInputs, currentMask, limitInputs, setInputs, showInputs, startInputs } from "./inputs.js";
import { SANDBOX, base, isRetired, jobsAreOn, modelNamed, models, needsKey, needsOurKey, readBudget, sandboxIsOn, serverOf, situationsOf } from "./models.js";
import { endpoint } from "./requests.js";
import { day, isExample, number, say } from "./words.js";

const SITUATION = /\s*\[\[[^\]]*\]\]/g;
const IN_LINK = ["prompt", "model", "ratio", "tier", "n", "seed", "temperature", "resize", "size", "format", "response"];
const FREE_KEY = "playground"; // for models whose server gets no key of the caller's: some key must be sent

const camera = find("#camera");
const names = ["prompt", "key", "model", "tier", "n", "seed", "temperature", "format", "response", "stream", "job", "resize", "width", "height", "situation"];
const fields = Object.fromEntries(names.map((name) => [name, find(`#${name}`)]));

let changed = () => {};
let notify = () => {};
let turns = []; // of the conversation that the next call goes on with
let budgetOf = ""; // the key whose budget was asked for
const timers = {};

/** Runs something when its calls have paused. */
function later(name, act, milliseconds) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(act, milliseconds);
}

/** Attaches the listeners and brings the last settings back. */
export async function startForm({ onChange, onProblem }) {
  changed = () => {
    showForm();
    later("draft", () => keepDraft(readRequest()), 150);
    onChange();
  };
  notify = onProblem;
  fields.prompt.value = say("prompt_first");
  fields.key.value = sandboxIsOn ? SANDBOX : "";
  fields.model.replaceChildren(...models.map((model) => make("option", { value: model.id }, titleOf(model))));
  find("#advanced").open = !sandboxIsOn && needsKey(chosenModel());
  for (const area of [camera, find("#settings")]) area.addEventListener("input", () => changed());
  fields.model.addEventListener("change", () => useModel());
  for (const [id, step] of [["#fewer", -1], ["#more", 1]]) find(id).addEventListener("click", () => stepCount(step));
  fields.n.addEventListener("change", () => stepCount(0));
  fields.situation.addEventListener("input", playSituation);
  find("#use-sandbox").addEventListener("click", useSandbox);
  find("#reset").addEventListener("click", reset);
  find("#turns-end").addEventListener("click", endConversation);
  find('.lens[data-lens="both"] input').addEventListener("change", () => (turns = []));
  startInputs({ onChange: () => changed(), onProblem });
  showModel("", "");
  if (!fillFromLink()) await fillFromDraft();
  showForm();
}

async function fillFromDraft() {
  const draft = await readDraft();
  if (draft) fill(draft);
}

// ---- reading ----

const chosenSurface = () => camera.elements.surface.value;
const chosenModel = () => modelNamed(fields.model.value);
const chosenRatio = () => find('input[name="ratio"]:checked')?.value ?? "";
const within = (value, low, high) => Math.min(high, Math.max(low, value));
const numberOr = (text, otherwise) => (Number.isFinite(Number(text)) && text.trim() ? Number(text) : otherwise);

function count() {
  return within(Math.round(Number(fields.n.value)) || 1, 1, chosenModel().limits.n);
}

/** The form's values as a request; where both APIs are chosen, that of OpenAI's. */
export function readRequest() {
  return requestFor(chosenSurface());
}

/** The requests to send: one, or one for each API. */
export function readRequests() {
  return chosenSurface() === "both" ? [requestFor("both"), requestFor("gemini")].map((one) => ({ ...one, pair: true })) : [readRequest()];
}

function requestFor(chosen) {
  const model = chosenModel();
  const openai = chosen !== "gemini";
  const stream = fields.stream.checked;
  return {
    surface: openai ? "openai" : "gemini",
    both: chosen === "both",
    prompt: fields.prompt.value.trim(),
    key: fields.key.value.trim() || (needsKey(model) ? "" : FREE_KEY),
    model: model.id,
    upstream: model.upstream_model,
    native: model.native_output_format,
    ratio: chosenRatio(),
    tier: fields.tier.value,
    resize: openai ? fields.resize.value : "",
    size: sizeOf(model, openai),
    n: chosen === "openai" && !turns.length ? count() : 1,
    seed: fields.seed.value === "" ? "" : Math.round(numberOr(fields.seed.value, 0)),
    temperature: fields.temperature.value === "" ? "" : within(numberOr(fields.temperature.value, 1), 0, 2),
    format: openai ? fields.format.value : "",
    response: openai && !stream ? fields.response.value : "b64_json",
    stream,
    job: jobsAreOn && fields.job.checked,
    inputs: [...currentInputs()],
    mask: openai ? currentMask() : null,
    turns,
  };
}

/** Goes on with the conversation of a call: its picture is changed by words. By itself it takes no focus. */
export function continueFrom(call, byItself = false) {
  const { prompt, inputs, surface, model } = call.request;
  turns = [...(call.request.turns ?? []), { prompt, inputs, words: call.answer.words, picture: call.answer.pictures[0] }];
  camera.elements.surface.value = surface;
  fields.model.value = modelNamed(model).id;
  if (!byItself || fields.prompt.value.trim() === prompt) fields.prompt.value = "";
  fields.n.value = 1;
  setInputs([], null);
  showModel("", fields.tier.value);
  changed();
  if (!byItself) focusPrompt();
}

/** Whether the next call goes on with a conversation. */
export const isConversation = () => turns.length > 0;

function endConversation() {
  turns = [];
  changed();
  focusPrompt();
}

/** The exact pixels that are asked for, or those of the aspect ratio. */
function sizeOf(model, openai) {
  const exact = [fields.width.value, fields.height.value];
  if (openai && fields.resize.value && exact.every((side) => Number(side) > 0)) return exact.map(Number).join("x");
  const ratio = chosenRatio();
  return ratio ? ((model.image_sizes[fields.tier.value] ?? model.aspect_ratios)[ratio] ?? "") : "";
}

/** The first required field that is empty, with the key of its message; null if there is none. */
export function missing() {
  if (!fields.prompt.value.trim()) return [fields.prompt, "need_prompt"];
  if (readRequest().key) return null;
  find("#advanced").open = true;
  return [fields.key, "need_key"];
}

/** The expected aspect ratio of the result: width over height. */
export function expectedShape(request) {
  const [width, height] = (request.resize && request.size ? request.size.split("x") : request.ratio.split(":")).map(Number);
  if (width && height) return width / height;
  const first = request.inputs.find((input) => input.width);
  return first ? within(first.width / first.height, 1 / 8, 8) : 1;
}

// ---- filling in ----

/** Fills the form with an earlier request; the key is not changed. */
export function restoreRequest(request) {
  fill(request);
  changed();
}

function fill(request) {
  turns = request.turns ?? [];
  camera.elements.surface.value = request.both || request.pair ? "both" : request.surface;
  fields.prompt.value = request.prompt;
  fields.model.value = modelNamed(request.model).id;
  for (const name of ["seed", "temperature"]) fields[name].value = request[name] ?? "";
  fields.stream.checked = Boolean(request.stream);
  fields.job.checked = Boolean(request.job);
  if (request.surface === "openai") {
    fields.n.value = request.n;
    fields.format.value = request.format;
    fields.resize.value = request.resize;
    [fields.width.value, fields.height.value] = request.resize ? request.size.split("x") : ["", ""];
    if (!request.stream) fields.response.value = request.response;
  }
  setInputs(request.inputs, request.mask);
  showModel(request.ratio, request.tier);
}

/** The page's address with the settings, without the key and the pictures. */
export function linkWithSettings() {
  const request = readRequest();
  const values = new URLSearchParams({ api: chosenSurface() });
  for (const name of IN_LINK) if (`${request[name]}` && !(name === "n" && request.n === 1)) values.set(name, request[name]);
  if (request.stream) values.set("stream", "1");
  if (!request.resize) values.delete("size");
  return `${base()}/#${values}`;
}

/** Applies the settings of a link, which are then taken out of the address. */
function fillFromLink() {
  const values = new URLSearchParams(location.hash.slice(1));
  if (!values.has("prompt") && !values.has("api")) return false;
  const given = Object.fromEntries(IN_LINK.map((name) => [name, values.get(name) ?? ""]));
  const api = values.get("api");
  fill({
    ...given,
    prompt: given.prompt || say("prompt_first"),
    both: api === "both",
    surface: api === "gemini" ? "gemini" : "openai",
    n: Number(given.n) || 1,
    response: given.response || "b64_json",
    resize: /^\d+x\d+$/.test(given.size) ? given.resize : "",
    stream: values.has("stream"),
    inputs: [],
    mask: null,
  });
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

/** Fills in a prompt and focuses it. */
export function suggestPrompt(text) {
  fields.prompt.value = text;
  focusPrompt();
  changed();
}

export const focusPrompt = () => fields.prompt.focus();

/** Opens the settings at the key. */
export function focusKey() {
  find("#advanced").open = true;
  fields.key.focus();
}

function useSandbox() {
  fields.key.value = SANDBOX;
  fields.key.focus();
  changed();
}

function reset() {
  for (const name of ["n", "seed", "temperature", "format", "response", "resize", "width", "height", "tier"])
    fields[name].value = { n: 1, response: "b64_json" }[name] ?? "";
  fields.stream.checked = fields.job.checked = false;
  fields.prompt.value = fields.prompt.value.replace(SITUATION, "");
  setInputs([], null);
  showRatios("");
  changed();
  notify(say("reset_done"));
}

/** Puts a situation of the sandbox into the prompt, in place of an earlier one. */
function playSituation() {
  const words = fields.prompt.value.replace(SITUATION, "").trimEnd();
  fields.prompt.value = fields.situation.value ? `${words} [[${fields.situation.value}]]` : words;
  changed();
}

function stepCount(step) {
  fields.n.value = within(count() + step, 1, chosenModel().limits.n);
  changed();
}

// ---- showing ----

/** Applies a change of language; an unchanged example prompt is translated too. */
export function translateForm() {
  if (isExample(fields.prompt.value)) fields.prompt.value = say("prompt_first");
  for (const option of fields.model.options) option.textContent = titleOf(modelNamed(option.value));
  showModel(chosenRatio(), fields.tier.value);
  showInputs();
  showForm();
}

function titleOf(model) {
  const name = model.title && model.title !== model.id ? `${model.title} · ${model.id}` : model.id;
  return isRetired(model) ? say("model_ended", { name }) : name;
}

function useModel() {
  showModel(chosenRatio(), fields.tier.value);
  changed();
}

/** Shows the ratios, tiers and situations of the chosen model. */
function showModel(ratio, tier) {
  const model = chosenModel();
  const tiers = Object.keys(model.image_sizes);
  fields.n.max = model.limits.n;
  find("#tier-row").hidden = !tiers.length;
  fields.tier.replaceChildren(make("option", { value: "" }, say("as_model")), ...tiers.map((one) => make("option", {}, one)));
  fields.tier.value = tiers.includes(tier) ? tier : "";
  const situations = situationsOf(model);
  fields.situation.replaceChildren(make("option", { value: "" }, say("situation_none")), ...situations.map((one) => make("option", {}, one)));
  showRatios(ratio);
}

function showRatios(chosen) {
  const ratios = ["", ...Object.keys(chosenModel().aspect_ratios)];
  const found = ratios.includes(chosen) ? chosen : "";
  find("#ratios").replaceChildren(...ratios.map((ratio) => ratioChoice(ratio, ratio === found)));
}

/** A radio button with a small frame of its ratio. */
function ratioChoice(ratio, chosen) {
  const frame = make("i", { "aria-hidden": "true", class: ratio ? "shape" : "shape auto" });
  const [width, height] = ratio ? ratio.split(":").map(Number) : [1, 1];
  const longest = Math.max(width, height);
  frame.style.width = `${Math.max(3, Math.round((20 * width) / longest))}px`;
  frame.style.height = `${Math.max(3, Math.round((20 * height) / longest))}px`;
  const input = make("input", { type: "radio", name: "ratio", value: ratio });
  input.checked = chosen;
  return make("label", { class: "ratio" }, input, make("span", { class: "box" }, frame), make("span", {}, ratio || say("ratio_auto")));
}

/** Shows what depends on the values: the API's own fields, the endpoint, notes about model and key. */
function showForm() {
  const chosen = chosenSurface();
  const model = chosenModel();
  const request = readRequest();
  const openai = chosen !== "gemini";
  document.documentElement.dataset.surface = chosen;
  showTurns();
  for (const element of document.querySelectorAll("[data-openai]")) element.disabled = !openai;
  find("#n-box").disabled = chosen !== "openai" || turns.length > 0;
  find("#openai-only-note").hidden = openai;
  fields.response.disabled = !openai || fields.stream.checked;
  find("#job-row").hidden = !jobsAreOn;
  fields.job.disabled = fields.stream.checked;
  find("#exact").hidden = !request.resize && !fields.resize.value;
  find("#endpoint").textContent = chosen === "both" ? "" : `POST ${endpoint(request)}`;
  fields.situation.value = (fields.prompt.value.match(/\[\[\s*([^\]]*?)\s*\]\]/) ?? [])[1] ?? "";
  if (fields.situation.selectedIndex < 0) fields.situation.value = "";
  find("#situation-row").hidden = fields.key.value.trim() !== SANDBOX || fields.situation.options.length < 2;
  if (fields.prompt.value.trim()) fields.prompt.removeAttribute("aria-invalid");
  if (request.key) fields.key.removeAttribute("aria-invalid");
  find("#model-note").textContent = noteOf(model);
  limitInputs(model.limits.input_images, openai);
  showKey(model);
}

/** Shows the conversation that the next call goes on with: its last picture and how many turns it has. */
function showTurns() {
  find("#turns").hidden = !turns.length;
  fields.prompt.placeholder = say(turns.length ? "turns_hint" : "prompt_hint");
  if (!turns.length) return;
  const { picture, prompt } = turns.at(-1);
  picture.shown ??= URL.createObjectURL(picture.blob);
  find("#turns-picture").src = picture.shown;
  find("#turns-text").textContent = say("turns", { n: turns.length, prompt });
}

/** What a reader must know before choosing a model. */
function noteOf(model) {
  const notes = [];
  if (isRetired(model)) notes.push(say("model_gone", { server: serverOf(model), date: model.shutdown_date ? day(model.shutdown_date) : "" }));
  else if (model.shutdown_date) notes.push(say("model_until", { server: serverOf(model), date: day(model.shutdown_date) }));
  if (notes.length && model.successor) notes.push(say("model_successor", { successor: model.successor }));
  if (model.upstream_model && model.upstream_model !== model.id) notes.push(say("model_drawn_by", { model: model.upstream_model }));
  return notes.join(" ");
}

function showKey(model) {
  const key = fields.key.value.trim();
  const isSandbox = sandboxIsOn && key === SANDBOX;
  find("#use-sandbox").hidden = !sandboxIsOn || isSandbox;
  fields.key.classList.toggle("secret", !isSandbox);
  const server = serverOf(model);
  const words = isSandbox ? "key_sandbox" : !needsKey(model) ? "key_free" : needsOurKey ? "key_ours" : "key_own";
  find("#key-hint").textContent = say(words, { server });
  find("#key-state").textContent = say(isSandbox ? "key_is_sandbox" : key ? "key_is_set" : needsKey(model) ? "key_is_missing" : "key_is_free");
  find("#key-state").classList.toggle("missing", !key && needsKey(model));
  if (key !== budgetOf) later("budget", showBudget, 300);
}

/** Shows what is left of the key's budget, where the server knows that. */
export async function showBudget() {
  const key = fields.key.value.trim();
  budgetOf = key;
  const line = find("#budget");
  const budget = await readBudget(key);
  if (budgetOf !== key) return;
  line.hidden = !budget;
  if (!budget) return;
  const usd = (value) => number(value, { minimumFractionDigits: value % 1 ? 2 : 0, maximumFractionDigits: 2 });
  const per = ["month", "day", "total"].includes(budget.per) ? budget.per : "total";
  line.textContent = say(`budget_${per}`, { left: usd(budget.left_usd), budget: usd(budget.budget_usd) });
  line.classList.toggle("low", budget.left_usd < budget.budget_usd / 20);
}
