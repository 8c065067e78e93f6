// Connects the form, the results and the code.

import { find, make, remember } from "./dom.js";
import { Failure } from "./errors.js";
import {
  addFiles,
  missing,
  readRequest,
  restoreRequest,
  startForm,
  suggestPrompt,
  translateForm,
  useModel,
} from "./form.js";
import { base, generate, readModel } from "./requests.js";
import { addEntry, finish, formatSeconds, secondsOf, showResults, startResults, updateClock } from "./results.js";
import { highlightedLines, snippet, TABS, unsupported } from "./snippets.js";
import { explain, language, number, say, translate } from "./words.js";

const root = document.documentElement;
const shutter = find("#shutter");
const cancel = find("#cancel");

let model = null;
let tab = "openai-python";
let surface = "openai";
let running = null; // {entry, controller, clock}

// ---- calls ----

async function run(request) {
  if (running) return;
  const controller = new AbortController();
  const entry = addEntry(request);
  running = { entry, controller, clock: setInterval(updateRunning, 100) };
  showSubmitButton();
  announce(say("news_running"));
  bringIntoView();
  try {
    const answer = await generate(request, controller.signal, (words) => (entry.words = words));
    finish(entry, "done", { answer });
    announce(announcementOf(entry));
  } catch (error) {
    failed(entry, error, controller.signal);
  } finally {
    clearInterval(running.clock);
    running = null;
    showSubmitButton();
  }
}

function updateRunning() {
  updateClock(running.entry);
  showSubmitButton();
}

function failed(entry, error, signal) {
  if (signal.aborted) {
    finish(entry, "cancelled");
    announce(say("news_cancelled"));
    return;
  }
  const failure = error instanceof Failure ? error : new Failure(error.message, { problem: "other" });
  finish(entry, "failed", { failure });
  announce(say("news_failed", explain(failure.problem)));
}

function announcementOf({ answer, seconds }) {
  const [{ width, height }] = answer.pictures;
  const many = answer.pictures.length > 1;
  const count = many ? say("of_n", { count: number(answer.pictures.length) }) : say("news_picture");
  return say("news_done", { count, pixels: `${width} × ${height}`, seconds: formatSeconds(seconds) });
}

/** Scrolls to the results where they are below the fold, as on a phone. */
function bringIntoView() {
  const glass = find("#glass");
  const { top } = glass.getBoundingClientRect();
  if (top >= 0 && top < innerHeight * 0.6) return;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  glass.scrollIntoView({ behavior, block: "start" });
}

function stop() {
  running?.controller.abort();
  shutter.focus();
}

function submit() {
  if (running) return;
  const firstEmpty = missing();
  if (!firstEmpty) {
    run(readRequest());
    return;
  }
  const [field, words] = firstEmpty;
  field.focus();
  field.setAttribute("aria-invalid", "true");
  field.addEventListener("input", () => field.removeAttribute("aria-invalid"), { once: true });
  notify(say(words));
}

function showSubmitButton() {
  const request = readRequest();
  const words = running
    ? say("shutter_busy", { seconds: formatSeconds(secondsOf(running.entry)) })
    : request.n > 1
      ? say("shutter_many", { n: request.n })
      : say(request.inputs.length ? "shutter_edit" : "shutter");
  find("#shutter-words").textContent = words;
  shutter.setAttribute("aria-disabled", String(Boolean(running)));
  shutter.classList.toggle("busy", Boolean(running));
  cancel.hidden = !running;
}

// ---- code ----

function makeTabs() {
  find("#tabs").replaceChildren(
    ...TABS.map(({ id, api, language: languageName }) =>
      make(
        "button",
        { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": "listing", onclick: () => chooseTab(id) },
        make("small", {}, api || "HTTP"),
        " ",
        make("span", {}, languageName),
      ),
    ),
  );
  find("#tabs").addEventListener("keydown", moveBetweenTabs);
}

function chooseTab(id) {
  tab = id;
  showCode();
}

function moveBetweenTabs(event) {
  const place = TABS.findIndex(({ id }) => id === tab);
  const places = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: TABS.length - 1 };
  if (!(event.key in places)) return;
  event.preventDefault();
  chooseTab(TABS[(places[event.key] + TABS.length) % TABS.length].id);
  find(`#tab-${tab}`).focus();
}

/** The chosen API decides which SDK is shown; the programming language stays. */
function followSurface(request) {
  if (request.surface === surface) return;
  surface = request.surface;
  if (tab !== "curl") tab = tab.replace(/^\w+/, surface);
}

function showCode() {
  const request = { ...readRequest(), base: base() };
  for (const { id } of TABS) {
    const chosen = id === tab;
    find(`#tab-${id}`).setAttribute("aria-selected", String(chosen));
    find(`#tab-${id}`).tabIndex = chosen ? 0 : -1;
  }
  find("#listing").setAttribute("aria-labelledby", `tab-${tab}`);
  find("#code").replaceChildren(...highlightedLines(snippet(tab, request)).map(showLine));
  find("#code-note").textContent = notesOnCode(request).join(" ");
}

/** A line of code; a long one is wrapped with a hanging indent. */
function showLine(pieces) {
  const line = make(
    "span",
    { class: "line" },
    ...pieces.map(([kind, text]) => (kind ? make("span", { class: kind }, text) : text)),
  );
  const indent = line.textContent.match(/^ */)[0].length + 2;
  line.style.paddingLeft = `${indent}ch`;
  line.style.textIndent = `${-indent}ch`;
  return line;
}

function notesOnCode(request) {
  const unsupportedNames = unsupported(tab, request);
  const files = [
    ...request.inputs.map((input) => input.name),
    ...(request.mask && !tab.startsWith("gemini") ? ["mask.png"] : []),
  ];
  return [
    request.key !== "sandbox" && say("code_key"),
    files.length && say("code_files", { names: files.join(", ") }),
    unsupportedNames.length && say("code_lacks", { names: unsupportedNames.join(", ") }),
  ].filter(Boolean);
}

async function copyText(text, button) {
  const before = say("copy");
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = say("copied");
  } catch {
    button.textContent = copyWithoutClipboard(text) ? say("copied") : say("copy_failed");
  }
  announce(button.textContent);
  setTimeout(() => (button.textContent = before), 1600);
}

/** For pages without https, which have no clipboard object. */
function copyWithoutClipboard(text) {
  const area = make("textarea", { class: "visually-hidden" });
  const focused = document.activeElement;
  document.body.append(area);
  area.value = text;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}

// ---- language, theme, announcements ----

function chooseLanguage() {
  root.lang = language() === "en" ? "ko" : "en";
  remember("language", root.lang);
  translatePage();
}

function translatePage() {
  translate();
  const other = find("#language");
  other.lang = language() === "en" ? "ko" : "en";
  other.textContent = language() === "en" ? "한국어" : "English";
  translateForm();
  showResults();
  showTheme();
  showModel();
  changed();
}

const THEMES = ["system", "light", "dark"];

function chooseTheme() {
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  remember("theme", next === "system" ? null : next);
  showTheme();
}

function showTheme() {
  const name = say(`theme_${root.dataset.theme ?? "system"}`);
  find("#theme-name").textContent = name;
  find("#theme").setAttribute("aria-label", say("theme_switch", { name }));
}

const hasPassed = (date) => date <= new Date().toISOString().slice(0, 10);

function showModel() {
  const line = find("#model");
  if (!model) line.textContent = "";
  else if (model.shutdown_date)
    line.textContent = say(hasPassed(model.shutdown_date) ? "model_ended" : "model_until", {
      model: model.upstream_model,
      date: model.shutdown_date,
    });
  else line.textContent = say("model", { model: model.upstream_model });
}

/** For screen readers. */
function announce(text) {
  find("#news").textContent = text;
}

/** For everyone: a message that disappears again. */
function notify(text) {
  announce(text);
  const toast = make("p", { class: "toast", "aria-hidden": "true" }, text);
  document.body.append(toast);
  setTimeout(() => toast.remove(), 3500);
}

function changed() {
  const request = readRequest();
  followSurface(request);
  showSubmitButton();
  showCode();
}

function start() {
  makeTabs();
  if (/Mac|iP(hone|ad)/.test(navigator.platform)) find("#shutter kbd").textContent = "⌘ ↵";
  startForm({ onChange: changed, onProblem: notify });
  startResults({
    suggest: suggestPrompt,
    restore: restoreRequest,
    again: (request) => {
      run({ ...request, key: readRequest().key });
      shutter.focus();
    },
    useAsInput: (blob, name) => addFiles([new File([blob], name, { type: blob.type })]),
    copyText,
  });
  find("#camera").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  cancel.addEventListener("click", stop);
  find("#language").addEventListener("click", chooseLanguage);
  find("#theme").addEventListener("click", chooseTheme);
  find("#copy").addEventListener("click", (event) =>
    copyText(snippet(tab, { ...readRequest(), base: base() }), event.currentTarget),
  );
  document.addEventListener("keydown", (event) => {
    if (find("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
    if (event.key === "Escape" && running) stop();
  });
  translatePage();
  readModel()
    .then((served) => {
      model = served;
      useModel(served);
      showModel();
    })
    .catch(() => notify(say("no_models")));
}

start();
