// Connects the form, the calls, the results and the code.

import * as calls from "./calls.js";
import { showCode, startCode } from "./code.js";
import { copyText, find, make, remember } from "./dom.js";
import { continueFrom, focusKey, focusPrompt, isConversation, linkWithSettings, missing, readRequest, readRequests, restoreRequest, showBudget, startForm, suggestPrompt, translateForm } from "./form.js";
import { addFiles } from "./inputs.js";
import { confirm, formatSeconds, show, shownEntry, showResults, startResults, updateClocks } from "./results.js";
import { modelNamed, serverOf } from "./models.js";
import { explain, language, number, say, translate } from "./words.js";

const root = document.documentElement;
const shutter = find("#shutter");
const cancel = find("#cancel");
let clock = null;

// ---- calls ----

function submit() {
  if (calls.isRunning()) return;
  const firstEmpty = missing();
  if (!firstEmpty) {
    start(readRequests());
    return;
  }
  const [field, words] = firstEmpty;
  field.focus();
  field.setAttribute("aria-invalid", "true");
  notify(say(words));
}

function start(requests) {
  const entry = calls.begin(requests);
  announce(say("news_running"));
  show(entry);
  bringIntoView();
}

/** The key of the form for an act that sends a request; without one, the key is asked for. */
function withKey(act) {
  if (calls.isRunning()) return;
  const { key } = readRequest();
  if (key) {
    act(key);
    return;
  }
  focusKey();
  notify(say("need_key"));
}

function callChanged(entry) {
  showRunning();
  if (entry === shownEntry() || !shownEntry()) show(entry);
  else showResults();
}

function callsEnded(entry) {
  const failed = entry.calls.find((call) => call.state === "failed");
  const done = entry.calls.filter((call) => call.state === "done");
  if (done.length && isConversation() && done[0].request.turns?.length) continueFrom(done[0], true);
  if (done.length) announce(newsOf(done));
  else if (failed) announce(say("news_failed", explain(failed.failure.problem, serverOf(modelNamed(failed.request.model)))));
  else announce(say("news_cancelled"));
  showBudget();
}

function newsOf(done) {
  const pictures = done.flatMap((call) => call.answer.pictures);
  const [{ width, height }] = pictures;
  const count = pictures.length > 1 ? say("of_n", { count: number(pictures.length) }) : say("news_picture");
  const seconds = formatSeconds(Math.max(...done.map((call) => call.seconds)));
  return say("news_done", { count, pixels: `${width} × ${height}`, seconds });
}

/** Scrolls to the results where they are below the fold, as on a phone. */
function bringIntoView() {
  const glass = find("#glass");
  const { top } = glass.getBoundingClientRect();
  if (top >= 0 && top < innerHeight * 0.45) return;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  glass.scrollIntoView({ behavior, block: "start" });
}

function stop() {
  calls.stop();
  shutter.focus({ preventScroll: true });
}

/** Shows whether calls run: on the button, and with the clocks. */
function showRunning() {
  const running = calls.isRunning();
  root.classList.toggle("running", running);
  cancel.hidden = !running;
  shutter.setAttribute("aria-disabled", String(running));
  shutter.classList.toggle("busy", running);
  if (running && !clock) clock = setInterval(tick, 100);
  if (!running) clock = clearInterval(clock) ?? null;
  showButton();
}

function tick() {
  updateClocks();
  showButton();
}

function showButton() {
  find("#shutter-words").textContent = buttonWords();
}

function buttonWords() {
  const live = calls.entries.flatMap((entry) => entry.calls).filter((call) => call.state === "running");
  if (live.length) return say("shutter_busy", { seconds: formatSeconds(Math.max(...live.map(calls.secondsOf))) });
  const request = readRequest();
  if (request.both) return say("shutter_both");
  if (request.n > 1) return say("shutter_many", { n: request.n });
  return say(request.inputs.length || request.turns.length ? "shutter_edit" : "shutter");
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
  showButton();
  showCode();
}

// ---- start ----

function listenForKeys() {
  if (/Mac|iP(hone|ad)/.test(navigator.platform)) for (const key of document.querySelectorAll("kbd.ctrl")) key.textContent = "⌘";
  find("#help").addEventListener("click", () => find("#keys").showModal());
  find("#keys-close").addEventListener("click", () => find("#keys").close());
  document.addEventListener("keydown", (event) => {
    if (find("dialog[open]")) return;
    const command = event.ctrlKey || event.metaKey;
    if (event.key === "Enter" && command && !event.isComposing) submit();
    else if (event.key === "Escape" && calls.isRunning()) stop();
    else if (event.key === "/" && command) find("#keys").showModal();
    else return;
    event.preventDefault();
  });
}

/** Waits again for the jobs of an earlier visit, where the key is known. */
function resumeSandboxJobs() {
  for (const entry of calls.entries)
    for (const call of entry.calls)
      if (call.state === "waiting" && call.request.sandbox && readRequest().key === "sandbox") calls.fetchJob(entry, call, "sandbox");
}

async function begin() {
  translate();
  startCode();
  listenForKeys();
  startResults({
    suggest: suggestPrompt,
    restore: restoreRequest,
    again: (entry) => withKey((key) => start(entry.calls.map((call) => ({ ...call.request, key })))),
    repeat: (entry, call) => withKey((key) => calls.repeat(entry, call, key)),
    fillUp: (entry, call) => withKey((key) => calls.fillUp(entry, call, key)),
    goOn: (call) => continueFrom(call),
    fetchJob: (entry, call) => withKey((key) => calls.fetchJob(entry, call, key)),
    useAsInput: async (blob, name) => {
      await addFiles([new File([blob], name, { type: blob.type })]);
      find("#prompt").select();
    },
    editPrompt: (request) => {
      restoreRequest(request);
      focusPrompt();
    },
    changeKey: focusKey,
    notify,
    clear: () => {
      calls.clear();
      show(null);
      find("#prompt").focus();
    },
  });
  find("#camera").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  cancel.addEventListener("click", stop);
  find("#language").addEventListener("click", chooseLanguage);
  find("#theme").addEventListener("click", chooseTheme);
  find("#link").addEventListener("click", async (event) => {
    const source = event.currentTarget;
    confirm(source, (await copyText(linkWithSettings())) ? "copied" : "copy_failed");
  });
  await startForm({ onChange: changed, onProblem: notify });
  translatePage();
  const latest = await calls.startCalls({ onChange: callChanged, onEnd: callsEnded });
  show(shownEntry() ?? latest);
  showRunning();
  resumeSandboxJobs();
  root.dataset.ready = "yes";
}

begin();
