// Brings the camera, the ground glass and the code together.

import { find, make, remember } from "./dom.js";
import { Failure } from "./errors.js";
import { addFiles, missing, readShot, restoreShot, retellForm, startForm, suggestPrompt, useModel } from "./form.js";
import { base, readModel, take } from "./requests.js";
import { colourfulLines, lacking, snippet, TABS } from "./snippets.js";
import { expose, finish, formatSeconds, retellStage, secondsOf, startStage, tick } from "./stage.js";
import { language, number, say, tell, translate } from "./words.js";

const root = document.documentElement;
const shutter = find("#shutter");
const cancel = find("#cancel");

let model = null;
let tab = "openai-python";
let surface = "openai";
let running = null; // {entry, controller, clock}

// ---- taking pictures ----

async function shoot(shot) {
  if (running) return;
  const controller = new AbortController();
  const entry = expose(shot);
  running = { entry, controller, clock: setInterval(everyMoment, 100) };
  showShutter();
  announce(say("news_running"));
  bringIntoView();
  try {
    const answer = await take(shot, controller.signal, (words) => (entry.words = words));
    finish(entry, "done", { answer });
    announce(newsOf(entry));
  } catch (error) {
    failed(entry, error, controller.signal);
  } finally {
    clearInterval(running.clock);
    running = null;
    showShutter();
  }
}

function everyMoment() {
  tick(running.entry);
  showShutter();
}

function failed(entry, error, signal) {
  if (signal.aborted) {
    finish(entry, "cancelled");
    announce(say("news_cancelled"));
    return;
  }
  const failure = error instanceof Failure ? error : new Failure(error.message, { trouble: "other" });
  finish(entry, "failed", { failure });
  announce(say("news_failed", tell(failure.trouble)));
}

function newsOf({ answer, seconds }) {
  const [{ width, height }] = answer.pictures;
  const many = answer.pictures.length > 1;
  const count = many ? say("of_n", { count: number(answer.pictures.length) }) : say("news_picture");
  return say("news_done", { count, pixels: `${width} × ${height}`, seconds: formatSeconds(seconds) });
}

/** Where the glass lies below the fold, as on a phone, the reader is taken to it. */
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

function release() {
  if (running) return;
  const lack = missing();
  if (!lack) {
    shoot(readShot());
    return;
  }
  const [field, words] = lack;
  field.focus();
  field.setAttribute("aria-invalid", "true");
  field.addEventListener("input", () => field.removeAttribute("aria-invalid"), { once: true });
  notify(say(words));
}

function showShutter() {
  const shot = readShot();
  const words = running
    ? say("shutter_busy", { seconds: formatSeconds(secondsOf(running.entry)) })
    : shot.n > 1
      ? say("shutter_many", { n: shot.n })
      : say(shot.inputs.length ? "shutter_edit" : "shutter");
  find("#shutter-words").textContent = words;
  shutter.setAttribute("aria-disabled", String(Boolean(running)));
  shutter.classList.toggle("busy", Boolean(running));
  cancel.hidden = !running;
}

// ---- the code beside it ----

function makeTabs() {
  find("#tabs").replaceChildren(
    ...TABS.map(({ id, api, language: spoken }) =>
      make(
        "button",
        { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": "listing", onclick: () => chooseTab(id) },
        make("small", {}, api || "HTTP"),
        " ",
        make("span", {}, spoken),
      ),
    ),
  );
  find("#tabs").addEventListener("keydown", walkTabs);
}

function chooseTab(id) {
  tab = id;
  showCode();
}

function walkTabs(event) {
  const place = TABS.findIndex(({ id }) => id === tab);
  const places = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: TABS.length - 1 };
  if (!(event.key in places)) return;
  event.preventDefault();
  chooseTab(TABS[(places[event.key] + TABS.length) % TABS.length].id);
  find(`#tab-${tab}`).focus();
}

/** The lens decides which SDK is shown; the language stays. */
function followLens(shot) {
  if (shot.surface === surface) return;
  surface = shot.surface;
  if (tab !== "curl") tab = tab.replace(/^\w+/, surface);
}

function showCode() {
  const shot = { ...readShot(), base: base() };
  for (const { id } of TABS) {
    const chosen = id === tab;
    find(`#tab-${id}`).setAttribute("aria-selected", String(chosen));
    find(`#tab-${id}`).tabIndex = chosen ? 0 : -1;
  }
  find("#listing").setAttribute("aria-labelledby", `tab-${tab}`);
  find("#code").replaceChildren(...colourfulLines(snippet(tab, shot)).map(showLine));
  find("#code-note").textContent = notesOnCode(shot).join(" ");
}

/** A line of code; where it is too long, its rest hangs below it, further in. */
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

function notesOnCode(shot) {
  const lacks = lacking(tab, shot);
  const files = [
    ...shot.inputs.map((input) => input.name),
    ...(shot.mask && !tab.startsWith("gemini") ? ["mask.png"] : []),
  ];
  return [
    shot.key !== "sandbox" && say("code_key"),
    files.length && say("code_files", { names: files.join(", ") }),
    lacks.length && say("code_lacks", { names: lacks.join(", ") }),
  ].filter(Boolean);
}

async function copyText(text, button) {
  const before = say("copy");
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = say("copied");
  } catch {
    button.textContent = copyTheOldWay(text) ? say("copied") : say("copy_failed");
  }
  announce(button.textContent);
  setTimeout(() => (button.textContent = before), 1600);
}

/** Without https there is no clipboard object. */
function copyTheOldWay(text) {
  const area = make("textarea", { class: "unseen" });
  const focused = document.activeElement;
  document.body.append(area);
  area.value = text;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}

// ---- language, theme, news ----

function chooseLanguage() {
  root.lang = language() === "en" ? "ko" : "en";
  remember("language", root.lang);
  retell();
}

function retell() {
  translate();
  const other = find("#language");
  other.lang = language() === "en" ? "ko" : "en";
  other.textContent = language() === "en" ? "한국어" : "English";
  retellForm();
  retellStage();
  retellTheme();
  showModel();
  changed();
}

const THEMES = ["system", "light", "dark"];

function chooseTheme() {
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  remember("theme", next === "system" ? null : next);
  retellTheme();
}

function retellTheme() {
  const name = say(`theme_${root.dataset.theme ?? "system"}`);
  find("#theme-name").textContent = name;
  find("#theme").setAttribute("aria-label", say("theme_switch", { name }));
}

function showModel() {
  const line = find("#model");
  if (!model) line.textContent = "";
  else if (model.shutdown_date)
    line.textContent = say("model_until", { model: model.upstream_model, date: model.shutdown_date });
  else line.textContent = say("model", { model: model.upstream_model });
}

/** Said to those who do not see the page. */
function announce(text) {
  find("#news").textContent = text;
}

/** Said to everybody, for a moment. */
function notify(text) {
  announce(text);
  const toast = make("p", { class: "toast", "aria-hidden": "true" }, text);
  document.body.append(toast);
  setTimeout(() => toast.remove(), 3500);
}

function changed() {
  const shot = readShot();
  followLens(shot);
  showShutter();
  showCode();
}

function start() {
  makeTabs();
  if (/Mac|iP(hone|ad)/.test(navigator.platform)) find("#shutter kbd").textContent = "⌘ ↵";
  startForm({ onChange: changed, onTrouble: notify });
  startStage({
    suggest: suggestPrompt,
    restore: restoreShot,
    again: (shot) => {
      shoot({ ...shot, key: readShot().key });
      shutter.focus();
    },
    useAsInput: (blob, name) => addFiles([new File([blob], name, { type: blob.type })]),
    copyText,
  });
  find("#camera").addEventListener("submit", (event) => {
    event.preventDefault();
    release();
  });
  cancel.addEventListener("click", stop);
  find("#language").addEventListener("click", chooseLanguage);
  find("#theme").addEventListener("click", chooseTheme);
  find("#copy").addEventListener("click", (event) =>
    copyText(snippet(tab, { ...readShot(), base: base() }), event.currentTarget),
  );
  document.addEventListener("keydown", (event) => {
    if (find("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) release();
    if (event.key === "Escape" && running) stop();
  });
  retell();
  readModel()
    .then((served) => {
      model = served;
      useModel(served);
      showModel();
    })
    .catch(() => notify(say("no_models")));
}

start();
