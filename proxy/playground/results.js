// The results: the running calls, their pictures or errors with details, and the history.

import { entries, isRunning, missingOf, secondsOf, stateOf } from "./calls.js";
import { button, copyText, find, make, save, stemOf, uniqueName } from "./dom.js";
import { expectedShape } from "./form.js";
import { chatIsOn, modelNamed, serverOf } from "./models.js";
import { explain, number, say } from "./words.js";
import { zipOf } from "./zip.js";

const PROMPT_PROBLEMS = new Set(["blocked", "no_image", "value"]);
const KEY_PROBLEMS = new Set(["no_key", "key", "permission", "quota", "budget"]);
const NOT_REPEATABLE = new Set([...KEY_PROBLEMS, "value", "picture", "large", "location", "model", "path"]);

const glass = find("#glass");
const caption = find("#caption");
const sheet = find("#sheet");

let shown = null;
let enlarged = { pictures: [], place: 0 };
let actions = {};

/**
 * `given` has the actions: suggest(text), restore(request), again(entry), repeat(entry, call), fillUp(entry, call),
 * fetchJob(entry, call), goOn(call), useAsInput(blob, name), editPrompt(request), changeKey(), notify(text), clear().
 */
export function startResults(given) {
  actions = given;
  find("#clear").addEventListener("click", confirmClear);
  sheet.addEventListener("keydown", moveInHistory);
  startLight();
  showResults();
}

/** Shows an entry; without one, the beginning. */
export function show(entry) {
  shown = entry ?? null;
  showResults();
}

export const shownEntry = () => shown;

/** Updates the clocks of the running calls, and the model's text. */
export function updateClocks() {
  if (!shown) return;
  shown.calls.forEach((call, index) => {
    const clock = glass.querySelectorAll("[data-call]")[index]?.querySelector(".clock");
    if (!clock) return;
    clock.textContent = inSeconds(secondsOf(call));
    clock.closest("[data-call]").querySelector(".streamed-text").textContent = call.words;
  });
}

/** Shows everything in the current language. */
export function showResults() {
  const state = shown ? stateOf(shown) : "empty";
  glass.dataset.state = state;
  glass.classList.toggle("pair", shown?.calls.length > 1);
  glass.replaceChildren(...(shown ? shown.calls.map((call) => partOf(shown, call)) : [emptyView()]));
  caption.replaceChildren(...(shown ? captionOf(shown) : []));
  showHistory();
}

// ---- numbers ----

export const formatSeconds = (seconds) => number(seconds, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** With the unit, as the language writes it: "1.4 s". */
const inSeconds = (seconds) => say("seconds", { seconds: formatSeconds(seconds) });

function formatBytes(bytes) {
  const unit = bytes >= 1e6 ? ["megabyte", 1e6, 2] : ["kilobyte", 1e3, 0];
  return number(bytes / unit[1], { style: "unit", unit: unit[0], maximumFractionDigits: unit[2] });
}

const formatCost = (cost) => number(cost, { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 4 });

const shapeOf = (picture) => picture.width / picture.height;
const apiOf = (call) => (call.request.surface === "openai" ? "OpenAI" : "Gemini");
const isPair = (entry) => entry.calls.length > 1;

/** The address of a picture within this page. */
const addressOf = (picture) => (picture.shown ??= URL.createObjectURL(picture.blob));

/** A picture's file name, made of its prompt; no two pictures have the same. */
function nameOf(call, picture) {
  if (!picture.name) {
    const taken = entries.flatMap((one) => one.calls.flatMap((other) => other.answer?.pictures ?? [])).map((one) => one.name);
    const ending = picture.type.replace("image/", "").replace("jpeg", "jpg");
    picture.name = uniqueName(`${stemOf(call.request.prompt)}.${ending}`, taken);
  }
  return picture.name;
}

// ---- the glass ----

const VIEWS = { new: runningView, running: runningView, done: doneView, failed: failedView, cancelled: endedView, lost: endedView, waiting: endedView };

function partOf(entry, call) {
  const title = isPair(entry) ? make("h3", { class: "half-title", "data-lens": call.request.surface }, apiOf(call)) : null;
  return make("section", { class: "part", "data-call": "" }, title, ...VIEWS[call.state](entry, call));
}

function emptyView() {
  const ideas = ["idea_1", "idea_2", "idea_3", "idea_4"].map((idea) =>
    make("li", {}, button("idea", say(idea), () => actions.suggest(say(idea)))),
  );
  return make(
    "section",
    { class: "part" },
    make("div", { class: "ground" }),
    make(
      "div",
      { class: "words" },
      make("p", { class: "headline" }, say("empty_title")),
      make("p", {}, say("empty")),
      make("ul", { class: "ideas" }, ...ideas),
    ),
  );
}

/** The pictures that are there, and empty frames in the expected aspect ratio, with a clock. */
function runningView(entry, call) {
  const ratio = expectedShape(call.request);
  const there = call.answer?.pictures ?? [];
  const waiting = Array.from({ length: call.request.n - there.length }, () =>
    shaped(make("div", { class: "frame waiting" }, make("span", { class: "image above" }), make("span", { class: "image below" })), ratio),
  );
  return [
    gridOf([...there.map((picture) => frameWith(entry, call, picture)), ...waiting], ratio),
    make("p", { class: "elapsed" }, make("span", { class: "clock" }, inSeconds(secondsOf(call)))),
    make("p", { class: "streamed-text" }, call.words),
  ];
}

function doneView(entry, call) {
  const { pictures } = call.answer;
  const view = gridOf(pictures.map((picture) => frameWith(entry, call, picture)), shapeOf(pictures[0]));
  view.classList.toggle("fresh", Boolean(call.fresh));
  delete call.fresh;
  return [view];
}

/** A picture that a click enlarges. */
function frameWith(entry, call, picture) {
  const place = call.answer.pictures.indexOf(picture) + 1;
  const image = make("img", { src: addressOf(picture), alt: call.request.prompt, width: picture.width, height: picture.height });
  const opener = make(
    "button",
    { type: "button", class: "enlarge", "aria-label": say("enlarge_one", { number: place }), onclick: () => enlarge(entry, picture) },
    image,
  );
  return shaped(make("div", { class: "frame" }, opener), shapeOf(picture));
}

function shaped(frame, ratio) {
  frame.style.aspectRatio = String(ratio);
  return frame;
}

/** The frames of a call side by side, as large as possible. */
function gridOf(frames, ratio) {
  const columns = columnsFor(frames.length, ratio);
  const rows = Math.ceil(frames.length / columns);
  const grid = make("div", { class: "frames" }, ...frames);
  grid.style.setProperty("--columns", columns);
  grid.style.setProperty("--shape", (ratio * columns) / rows);
  return grid;
}

/** The number of columns that makes each frame largest in the glass. */
function columnsFor(count, ratio) {
  const height = parseFloat(getComputedStyle(glass).minHeight) - 32;
  const area = (glass.clientWidth / (isPair(shown) ? 2 : 1) - 32) / (height > 0 ? height : innerHeight / 2); // none on a phone
  const widthIn = (columns) => Math.min(area / columns, ratio / Math.ceil(count / columns));
  const choices = Array.from({ length: count }, (_, index) => index + 1);
  return choices.reduce((best, columns) => (widthIn(columns) > widthIn(best) ? columns : best));
}

/** A call that ended without a word of the server: cancelled, lost by a reload, or still running as a job. */
function endedView(entry, call) {
  const server = serverOf(modelNamed(call.request.model));
  const values = { seconds: formatSeconds(call.seconds), server: call.request.sandbox ? say("sandbox") : server };
  const act =
    call.state === "waiting"
      ? button("strong", say("fetch_job"), () => actions.fetchJob(entry, call))
      : againButton(entry, call, "strong");
  return [
    make("div", { class: "ground" }),
    make(
      "div",
      { class: "words" },
      make("p", { class: "headline" }, say(`${call.state}_title`)),
      make("p", {}, say(call.state === "cancelled" && call.request.sandbox ? "cancelled_free" : call.state, values)),
      make("p", { class: "acts" }, act, restoreButton(call)),
    ),
  ];
}

/** What went wrong, what to do about it, and the server's message. */
function failedView(entry, call) {
  const { failure } = call;
  const { title, advice } = explain(failure.problem, serverOf(modelNamed(call.request.model)));
  const label = [failure.status || null, failure.code, failure.param && `param: ${failure.param}`].filter(Boolean);
  const retryIn = failure.retryAfter ? ` ${say("retry_in", { seconds: failure.retryAfter })}` : "";
  return [
    make("div", { class: "ground" }),
    make(
      "div",
      { class: "words trouble" },
      make("p", { class: "headline" }, title),
      make("p", { class: "advice" }, make("b", {}, `${say("what_to_do")}: `), advice, retryIn),
      label.length ? make("p", { class: "codes" }, ...label.map((text) => make("code", {}, text))) : null,
      failure.message ? serverMessage(failure.message) : null,
      make("p", { class: "acts" }, ...failureActions(entry, call)),
    ),
  ];
}

const serverMessage = (message) =>
  make("div", { class: "said" }, make("span", {}, say("server_said")), make("blockquote", { tabindex: "0" }, message));

/** What may help first, then the rest. */
function failureActions(entry, call) {
  const { problem } = call.failure;
  const acts = [];
  if (PROMPT_PROBLEMS.has(problem)) acts.push(button("strong", say("edit_prompt"), () => actions.editPrompt(call.request)));
  if (KEY_PROBLEMS.has(problem)) acts.push(button("strong", say("change_key"), () => actions.changeKey()));
  if (!NOT_REPEATABLE.has(problem)) acts.push(againButton(entry, call, acts.length ? "quiet" : "strong"));
  return [...acts, restoreButton(call)];
}

const againButton = (entry, call, kind) =>
  button(kind, say("again"), () => (isPair(entry) ? actions.repeat(entry, call) : actions.again(entry)));
const restoreButton = (call) => button("quiet", say("settings_back"), () => actions.restore(call.request));

// ---- the caption ----

function captionOf(entry) {
  const parts = entry.calls.map((call) => make("div", { class: "about-call" }, ...detailsOf(entry, call)));
  const filled = parts.filter((part) => part.childElementCount);
  if (!filled.length) return [];
  if (!isPair(entry)) return [make("div", { class: "abouts" }, ...parts)];
  filled.forEach((part) => {
    const call = entry.calls[parts.indexOf(part)];
    part.prepend(make("h3", { class: "half-title", "data-lens": call.request.surface }, apiOf(call)));
  });
  return [make("div", { class: "abouts pair" }, ...parts)];
}

function detailsOf(entry, call) {
  const done = call.answer && call.state === "done";
  return [
    done ? make("dl", {}, ...factsOf(call)) : null,
    done && call.answer.words.trim() ? make("blockquote", { class: "model-words" }, call.answer.words.trim()) : null,
    ...(done ? notesOf(entry, call) : []),
    done ? make("div", { class: "acts" }, ...pictureActions(entry, call)) : null,
    ["done", "failed"].includes(call.state) ? exchangeOf(call) : null,
  ].filter(Boolean);
}

function factsOf(call) {
  const { answer, seconds, request } = call;
  const { pictures, usage, cost } = answer;
  const bytes = pictures.reduce((sum, picture) => sum + picture.blob.size, 0);
  const kinds = [...new Set(pictures.map((picture) => picture.type.replace("image/", "")))].join(", ");
  const many = pictures.length > 1;
  const facts = [
    ["pixels", pixelsOf(pictures), many ? say("of_n", { count: pictures.length }) : ""],
    ["bytes", formatBytes(bytes), kinds],
    ["time", inSeconds(seconds), many ? say("each", { value: inSeconds(seconds / pictures.length) }) : ""],
  ];
  if (usage) {
    facts.push(["tokens", number(usage.total), say("tokens_hint", { input: number(usage.input), output: number(usage.output) })]);
    const hints = [many && cost !== null ? say("each", { value: formatCost(cost / pictures.length) }) : "", request.sandbox ? say("free") : ""];
    const title = say(cost === null ? "no_cost_hint" : "cost_hint");
    facts.push(["cost", cost === null ? say("no_cost") : formatCost(cost), hints.filter(Boolean).join(", "), title]);
  }
  if (answer.upstream === request.upstream && answer.upstream !== request.model) facts.push(["drawn_by", answer.upstream, ""]);
  return facts.map(([name, value, hint, title]) =>
    make("div", { title, "data-fact": name }, make("dt", {}, say(name)), make("dd", {}, value, hint ? make("small", {}, hint) : "")),
  );
}

const pixelsOf = (pictures) => [...new Set(pictures.map(({ width, height }) => `${width} × ${height}`))].join(", ");

function notesOf(entry, call) {
  const { answer, request } = call;
  const notes = [];
  if (answer.notes.ignored) notes.push(say("note_ignored", { names: answer.notes.ignored }));
  if (answer.upstream && answer.upstream !== request.upstream) notes.push(say("note_successor", { model: answer.upstream }));
  if (answer.notes.mask) notes.push(say("note_mask"));
  const lines = notes.map((note) => make("p", { class: "note" }, note));
  const missing = missingOf(call);
  if (!answer.failures.length && !missing) return lines;
  const [first] = answer.failures;
  const { title } = first ? explain(first.problem, serverOf(modelNamed(request.model))) : { title: "" };
  const words = say("note_failed", { failed: missing || answer.failures.length, n: request.n, title, message: first?.message ?? "" });
  const again = missing ? button("quiet", say("fill_up", { n: missing }), () => actions.fillUp(entry, call)) : null;
  return [...lines, make("p", { class: "note short" }, words, again)];
}

function pictureActions(entry, call) {
  const { pictures } = call.answer;
  const [first] = pictures;
  const acts = isPair(entry) ? [] : [button("quiet", say("enlarge"), () => enlarge(entry, first))];
  if (pictures.length === 1) acts.push(...actionsOf(call, first));
  else acts.push(button("quiet", say("download_all", { n: pictures.length }), () => downloadAll(call)));
  if (pictures.length === 1 && (chatIsOn || call.request.surface === "gemini"))
    acts.push(button("quiet", say("go_on"), () => actions.goOn(call), { title: say("go_on_hint") }));
  acts.push(againButton(entry, call, "quiet"));
  return isPair(entry) ? acts : [...acts, restoreButton(call)];
}

/** What can be done with one picture. */
function actionsOf(call, picture) {
  const name = nameOf(call, picture);
  return [
    make("a", { class: "quiet", href: addressOf(picture), target: "_blank", rel: "noopener" }, say("open")),
    button("quiet", say("copy"), (event) => copyPicture(picture, event.currentTarget)),
    button("quiet", say("download"), () => save(picture.blob, name), { "data-act": "download" }),
    button("quiet", say("as_input"), () => actions.useAsInput(picture.blob, name)),
  ];
}

async function copyPicture(picture, source) {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": pngOf(picture) })]);
    confirm(source, "copied");
  } catch {
    actions.notify(say("copy_picture_failed"));
  }
}

async function pngOf(picture) {
  if (picture.type === "image/png") return picture.blob;
  const bitmap = await createImageBitmap(picture.blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

async function downloadAll(call) {
  const files = call.answer.pictures.map((picture) => ({ name: nameOf(call, picture), blob: picture.blob }));
  save(await zipOf(files), `${stemOf(call.request.prompt)}.zip`);
}

/** Says on a button, for a moment, what it has done. */
export function confirm(source, words) {
  const before = source.textContent;
  source.textContent = say(words);
  setTimeout(() => (source.textContent = before), 1600);
}

function exchangeOf(call) {
  const id = call.failure?.requestId || call.answer?.requestId;
  const text = call.exchange ?? "";
  const copy = (what) => async (event) => confirm(event.currentTarget, (await copyText(what)) ? "copied" : "copy_failed");
  const line = id ? make("p", { class: "request-id" }, `${say("request_id")} `, make("code", {}, id), " ", button("link", say("copy"), copy(id), { "aria-label": say("copy_id") })) : null;
  if (!text) return line;
  return make(
    "details",
    { class: "exchange" },
    make("summary", {}, say("exchange"), line ? make("code", { class: "id" }, id) : null),
    make("div", { class: "raw-head" }, line, button("link", say("copy_all"), copy(text))),
    make("pre", { tabindex: "0" }, text),
  );
}

// ---- one picture, as large as the window ----

const light = find("#light");

function startLight() {
  find("#light-close").addEventListener("click", () => light.close());
  find("#light-before").addEventListener("click", () => turn(-1));
  find("#light-next").addEventListener("click", () => turn(1));
  light.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) turn(step);
  });
  light.addEventListener("click", (event) => {
    if (event.target === light || event.target.id === "light-area") light.close();
  });
}

function enlarge(entry, picture) {
  const pictures = entry.calls.flatMap((call) => (call.answer?.pictures ?? []).map((one) => ({ call, picture: one })));
  enlarged = { pictures, place: pictures.findIndex((one) => one.picture === picture) };
  light.showModal();
  turn(0);
}

function turn(step) {
  const { pictures, place } = enlarged;
  enlarged.place = (place + step + pictures.length) % pictures.length;
  const { call, picture } = pictures[enlarged.place];
  const image = find("#light-image");
  image.src = addressOf(picture);
  image.alt = call.request.prompt;
  for (const arrow of ["#light-before", "#light-next"]) find(arrow).hidden = pictures.length < 2;
  const count = pictures.length > 1 ? `${enlarged.place + 1} / ${pictures.length} · ` : "";
  find("#light-text").textContent = `${count}${apiOf(call)} · ${pixelsOf([picture])} · ${formatBytes(picture.blob.size)}`;
  const acts = actionsOf(call, picture);
  acts.at(-1).addEventListener("click", () => light.close());
  find("#light-acts").replaceChildren(...acts);
}

// ---- history ----

/** The calls, newest first; the keyboard focus is kept. */
function showHistory() {
  const focused = sheet.contains(document.activeElement) ? document.activeElement.dataset.number : null;
  find("#sheet-empty").hidden = entries.length > 0;
  find("#clear").hidden = !entries.length;
  sheet.replaceChildren(...entries.toReversed().map(frameOf));
  if (focused) sheet.querySelector(`[data-number="${focused}"]`)?.focus();
  find("#sum").textContent = sumText();
}

/** How many pictures there are, and what they have cost. */
function sumText() {
  const done = entries.flatMap((entry) => entry.calls).filter((call) => call.answer);
  const count = done.reduce((sum, call) => sum + call.answer.pictures.length, 0);
  if (!count) return "";
  const costOf = (calls) => calls.reduce((sum, call) => sum + (call.answer.cost ?? 0), 0);
  const played = done.filter((call) => call.request.sandbox);
  const real = done.filter((call) => !call.request.sandbox);
  const parts = [count === 1 ? say("of_one") : say("of_n", { count: number(count) })];
  if (real.length) parts.push(formatCost(costOf(real)));
  if (played.length) parts.push(say("sum_sandbox", { cost: formatCost(costOf(played)) }));
  return parts.join(" · ");
}

function frameOf(entry) {
  const state = stateOf(entry);
  const pictures = entry.calls.flatMap((call) => call.answer?.pictures ?? []);
  const faces = (isPair(entry) ? entry.calls.map((call) => call.answer?.pictures[0]) : [pictures[0]]).map((picture) =>
    picture ? make("img", { src: addressOf(picture), alt: "" }) : make("span", { class: "face" }),
  );
  const { request } = entry.calls[0];
  const label = say("frame", { number: entry.number, state: say(`state_${state}`), prompt: request.prompt });
  const opener = make(
    "button",
    {
      type: "button",
      title: request.prompt,
      "aria-label": label,
      "aria-current": entry === shown ? "true" : null,
      "data-number": entry.number,
      "data-state": state,
      "data-count": pictures.length > 1 ? pictures.length : null,
      onclick: () => show(entry),
    },
    ...faces,
  );
  const api = isPair(entry) ? say("both_short") : apiOf(entry.calls[0]);
  return make("li", {}, opener, make("span", { class: "edge", "aria-hidden": "true" }, `${entry.number} ▸ ${api}`));
}

function moveInHistory(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const frames = [...sheet.querySelectorAll("button")];
  const place = frames.indexOf(document.activeElement);
  if (!step || place < 0) return;
  event.preventDefault();
  const next = frames[Math.min(frames.length - 1, Math.max(0, place + step))];
  next.focus();
  next.click();
}

/** Clears the history at the second press. */
function confirmClear(event) {
  const source = event.currentTarget;
  if (isRunning()) return;
  if (!source.dataset.sure) {
    source.dataset.sure = "1";
    source.textContent = say("clear_sure");
    setTimeout(() => {
      delete source.dataset.sure;
      source.textContent = say("clear_history");
    }, 4000);
    return;
  }
  delete source.dataset.sure;
  source.textContent = say("clear_history");
  actions.clear();
}
