// The results: the running call, its picture or error with details, and the earlier calls.

import { find, make, save } from "./dom.js";
import { expectedShape } from "./form.js";
import { explain, number, say } from "./words.js";

const RETRYABLE = new Set([
  "no_image",
  "rate",
  "busy",
  "unavailable",
  "timeout",
  "broken",
  "internal",
  "offline",
  "cut",
  "slow",
  "other",
]);
const MAX_ENTRIES = 60; // calls whose pictures stay in memory

const glass = find("#glass");
const caption = find("#caption");
const sheet = find("#sheet");

// Every call of this visit: {number, request, state, started, seconds, answer, failure, words, chosen}.
const entries = [];
let shown = null;
let actions = {};

/** `given` has the actions: suggest(text), restore(request), again(request), useAsInput(blob), copyText(text). */
export function startResults(given) {
  actions = given;
  showResults();
}

/** Adds a call and shows it. */
export function addEntry(request) {
  const entry = {
    number: (entries.at(-1)?.number ?? 0) + 1,
    request,
    state: "running",
    started: performance.now(),
    seconds: 0,
    words: "",
    chosen: null,
  };
  entries.push(entry);
  shown = entry;
  removeOldest();
  showResults();
  return entry;
}

/** The seconds that a call has taken so far, or took. */
export function secondsOf(entry) {
  return entry.state === "running" ? (performance.now() - entry.started) / 1000 : entry.seconds;
}

/** Records how a call ended. */
export function finish(entry, state, outcome) {
  entry.seconds = secondsOf(entry);
  Object.assign(entry, { state }, outcome);
  showResults();
}

/** Updates the clock of a running call, and the model's text. */
export function updateClock(entry) {
  const clock = glass.querySelector(".clock");
  if (shown !== entry || !clock) return;
  clock.textContent = formatSeconds(secondsOf(entry));
  glass.querySelector(".streamed-text").textContent = entry.words;
}

/** Shows everything in the current language. */
export function showResults() {
  glass.replaceChildren(...(shown ? VIEWS[shown.state](shown) : emptyView()));
  glass.dataset.state = shown?.state ?? "empty";
  caption.replaceChildren(...(shown?.state === "done" ? captionOf(shown) : []));
  showHistory();
}

/** The earlier calls, newest first; the keyboard focus is kept. */
function showHistory() {
  const focusedNumber = sheet.contains(document.activeElement) ? document.activeElement.dataset.number : null;
  find("#sheet-empty").hidden = entries.length > 0;
  sheet.replaceChildren(...entries.toReversed().map(frameOf));
  if (focusedNumber) sheet.querySelector(`[data-number="${focusedNumber}"]`)?.focus();
}

export const formatSeconds = (seconds) => number(seconds, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export function formatBytes(bytes) {
  const unit = bytes >= 1e6 ? ["megabyte", 1e6, 2] : ["kilobyte", 1e3, 0];
  return number(bytes / unit[1], { style: "unit", unit: unit[0], maximumFractionDigits: unit[2] });
}

function formatCost(cost) {
  return number(cost, { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 4 });
}

function show(entry) {
  shown = entry;
  showResults();
}

/** Frees the memory of the oldest pictures. */
function removeOldest() {
  while (entries.length > MAX_ENTRIES) {
    for (const picture of entries.shift().answer?.pictures ?? []) URL.revokeObjectURL(picture.url);
  }
}

// ---- views ----

const VIEWS = { running: runningView, done: doneView, failed: failedView, cancelled: cancelledView };

function emptyView() {
  const ideas = ["idea_1", "idea_2", "idea_3", "idea_4"].map((idea) =>
    make(
      "li",
      {},
      make("button", { type: "button", class: "idea", onclick: () => actions.suggest(say(idea)) }, say(idea)),
    ),
  );
  return [
    make("div", { class: "ground" }),
    make(
      "div",
      { class: "words" },
      make("p", { class: "headline" }, say("empty_title")),
      make("p", {}, say("empty")),
      make("ul", { class: "ideas" }, ...ideas),
    ),
  ];
}

/** Empty frames in the expected aspect ratio, with a clock. */
function runningView(entry) {
  const frames = Array.from({ length: entry.request.n }, () => {
    const images = [make("span", { class: "image above" }), make("span", { class: "image below" })];
    return shaped(make("div", { class: "frame waiting" }, ...images), expectedShape(entry.request));
  });
  return [
    gridOf(frames, expectedShape(entry.request)),
    make(
      "p",
      { class: "elapsed" },
      make("span", { class: "clock" }, formatSeconds(secondsOf(entry))),
      make("span", {}, " s"),
    ),
    make("p", { class: "streamed-text" }, entry.words),
  ];
}

function doneView(entry) {
  const { pictures } = entry.answer;
  const single = pictures.length === 1 ? 0 : entry.chosen;
  if (single !== null) return [gridOf([pictureFrame(entry, pictures[single])], shapeOf(pictures[single]))];
  const frames = pictures.map((picture, index) => {
    const enlarge = () => {
      entry.chosen = index;
      showResults();
      caption.querySelector(".show-all")?.focus();
    };
    const button = make(
      "button",
      { type: "button", class: "enlarge", "aria-label": say("enlarge", { number: index + 1 }), onclick: enlarge },
      image(entry, picture),
    );
    return shaped(make("div", { class: "frame" }, button), shapeOf(picture));
  });
  return [gridOf(frames, shapeOf(pictures[0]))];
}

const shapeOf = (picture) => picture.width / picture.height;

function image(entry, picture) {
  return make("img", { src: picture.url, alt: entry.request.prompt, width: picture.width, height: picture.height });
}

function pictureFrame(entry, picture) {
  return shaped(make("div", { class: "frame" }, image(entry, picture)), shapeOf(picture));
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

/** The number of columns that makes each frame largest, in an area a little wider than high. */
function columnsFor(count, ratio) {
  const widthIn = (columns) => Math.min(1.15 / columns, ratio / Math.ceil(count / columns));
  const choices = Array.from({ length: count }, (_, index) => index + 1);
  return choices.reduce((best, columns) => (widthIn(columns) > widthIn(best) ? columns : best));
}

function cancelledView(entry) {
  return [
    make("div", { class: "ground" }),
    make(
      "div",
      { class: "words" },
      make("p", { class: "headline" }, say("cancelled_title")),
      make("p", {}, say("cancelled", { seconds: formatSeconds(entry.seconds) })),
      make("p", { class: "acts" }, againButton(entry), restoreButton(entry)),
    ),
  ];
}

/** What went wrong, what to do about it, and the server's message. */
function failedView(entry) {
  const { failure } = entry;
  const { title, advice } = explain(failure.problem);
  const label = [failure.status || null, failure.code, failure.param && `param: ${failure.param}`].filter(Boolean);
  return [
    make("div", { class: "ground" }),
    make(
      "div",
      { class: "words trouble" },
      make("p", { class: "headline" }, title),
      make(
        "p",
        { class: "advice" },
        make("b", {}, `${say("what_to_do")}: `),
        advice,
        failure.retryAfter ? ` ${say("retry_in", { seconds: failure.retryAfter })}` : "",
      ),
      label.length ? make("p", { class: "codes" }, ...label.map((text) => make("code", {}, text))) : null,
      failure.message
        ? make(
            "div",
            { class: "said" },
            make("span", {}, say("server_said")),
            make("blockquote", { tabindex: "0" }, failure.message),
          )
        : null,
      requestIdOf(failure.requestId),
      make("p", { class: "acts" }, againButton(entry), restoreButton(entry)),
    ),
  ];
}

/** Repeats the call; offered only where it may succeed. */
const againButton = ({ request, failure }) =>
  failure && !RETRYABLE.has(failure.problem)
    ? null
    : make("button", { type: "button", class: "strong", onclick: () => actions.again(request) }, say("again"));
const restoreButton = (entry) =>
  make(
    "button",
    { type: "button", class: "quiet", onclick: () => actions.restore(entry.request) },
    say("settings_back"),
  );

function requestIdOf(id) {
  if (!id) return null;
  const copy = make(
    "button",
    {
      type: "button",
      class: "link",
      "aria-label": say("copy_id"),
      onclick: (event) => actions.copyText(id, event.currentTarget),
    },
    say("copy"),
  );
  return make("p", { class: "request-id" }, `${say("request_id")} `, make("code", {}, id), " ", copy);
}

// ---- details of a picture ----

function captionOf(entry) {
  const { answer, chosen } = entry;
  const pictures = chosen === null ? answer.pictures : [answer.pictures[chosen]];
  return [
    make("dl", {}, ...factsOf(entry, pictures)),
    answer.words.trim() ? make("blockquote", { class: "model-words" }, answer.words.trim()) : null,
    ...notesOf(entry).map((note) => make("p", { class: "note" }, note)),
    make("div", { class: "acts" }, ...pictureActions(entry, pictures)),
    requestIdOf(answer.requestId),
  ].filter(Boolean);
}

function factsOf(entry, pictures) {
  const { answer } = entry;
  const bytes = pictures.reduce((sum, picture) => sum + picture.blob.size, 0);
  const kinds = [...new Set(pictures.map((picture) => picture.type.replace("image/", "")))].join(", ");
  const facts = [
    ["pixels", pixelsOf(pictures), pictures.length > 1 ? say("of_n", { count: pictures.length }) : ""],
    ["bytes", formatBytes(bytes), kinds],
    ["time", `${formatSeconds(entry.seconds)} s`, ""],
  ];
  if (answer.usage) {
    const { input, output, total } = answer.usage;
    facts.push(["tokens", number(total), say("tokens_hint", { input: number(input), output: number(output) })]);
    const known = answer.cost !== null;
    facts.push([
      "cost",
      known ? formatCost(answer.cost) : say("no_cost"),
      "",
      say(known ? "cost_hint" : "no_cost_hint"),
    ]);
  }
  return facts.map(([name, value, hint, title]) =>
    make(
      "div",
      { title, "data-fact": name },
      make("dt", {}, say(name)),
      make("dd", {}, value, hint ? make("small", {}, hint) : ""),
    ),
  );
}

const pixelsOf = (pictures) => [...new Set(pictures.map(({ width, height }) => `${width} × ${height}`))].join(", ");

function notesOf({ request, answer }) {
  const notes = [];
  if (answer.notes.ignored) notes.push(say("note_ignored", { names: answer.notes.ignored }));
  if (answer.notes.model && answer.notes.model !== request.upstream) notes.push(say("note_successor", { model: answer.notes.model }));
  if (answer.notes.mask) notes.push(say("note_mask"));
  if (answer.failures.length) {
    const [first] = answer.failures;
    const { title } = explain(first.problem);
    notes.push(say("note_failed", { failed: answer.failures.length, n: request.n, title, message: first.message }));
  }
  return notes;
}

function pictureActions(entry, pictures) {
  const [picture] = pictures;
  const acts = [];
  if (entry.answer.pictures.length > 1 && entry.chosen !== null) {
    const all = () => {
      const place = entry.chosen;
      entry.chosen = null;
      showResults();
      glass.querySelectorAll(".enlarge")[place].focus();
    };
    acts.push(
      make(
        "button",
        { type: "button", class: "quiet show-all", onclick: all },
        say("show_all", { n: entry.answer.pictures.length }),
      ),
    );
  }
  if (pictures.length === 1) {
    const name = `twinlens-${entry.number}.${picture.type.replace("image/", "")}`;
    acts.push(
      make("button", { type: "button", class: "quiet", onclick: () => save(picture.blob, name) }, say("download")),
      make(
        "button",
        { type: "button", class: "quiet", onclick: () => actions.useAsInput(picture.blob, name) },
        say("as_input"),
      ),
    );
  }
  return [...acts, restoreButton(entry)];
}

// ---- earlier calls ----

function frameOf(entry) {
  const [picture] = entry.answer?.pictures ?? [];
  const count = entry.answer?.pictures.length ?? 0;
  const face = picture ? make("img", { src: picture.url, alt: "" }) : make("span", { class: "face" });
  const { number: place, request, state } = entry;
  const label = say("frame", { number: place, state: say(`state_${state}`), prompt: request.prompt });
  const button = make(
    "button",
    {
      type: "button",
      "aria-label": label,
      "aria-current": entry === shown ? "true" : null,
      "data-number": entry.number,
      "data-state": entry.state,
      "data-count": count > 1 ? count : null,
      onclick: () => show(entry),
    },
    face,
  );
  const api = request.surface === "openai" ? "OpenAI" : "Gemini";
  return make("li", {}, button, make("span", { class: "edge", "aria-hidden": "true" }, `${place} ▸ ${api}`));
}
