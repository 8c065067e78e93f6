// The code for the request in the form: tabs, installation, and a button that copies.

import { copyText, find, make } from "./dom.js";
import { readRequest } from "./form.js";
import { base } from "./models.js";
import { confirm } from "./results.js";
import { snippet, TABS, tokens, unsupported } from "./snippets.js";
import { say } from "./words.js";

let tab = "openai-python";
let surface = "openai";

/** Makes the tabs. */
export function startCode() {
  find("#tabs").replaceChildren(
    ...TABS.map(({ id, api, language }) =>
      make(
        "button",
        { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": "listing", onclick: () => chooseTab(id) },
        make("small", {}, api || "HTTP"),
        " ",
        make("span", {}, language),
      ),
    ),
  );
  find("#tabs").addEventListener("keydown", moveBetweenTabs);
  find("#copy").addEventListener("click", (event) => copy(snippet(tab, requestWithBase()), event.currentTarget));
  find("#copy-install").addEventListener("click", (event) => copy(installLine(), event.currentTarget));
}

/** The request of the form. That of a conversation is shown as one that changes its last picture. */
function requestWithBase() {
  const request = { ...readRequest(), base: base() };
  if (!request.turns.length) return request;
  const { picture } = request.turns.at(-1);
  const name = picture.name ?? `picture.${picture.type.replace("image/", "")}`;
  return { ...request, turns: [], inputs: [{ name, type: picture.type }, ...request.inputs] };
}

const installLine = () => TABS.find(({ id }) => id === tab).install;

async function copy(text, source) {
  confirm(source, (await copyText(text)) ? "copied" : "copy_failed");
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

/** Shows the code. The chosen API decides which SDK is shown; the programming language stays. */
export function showCode() {
  const request = requestWithBase();
  if (request.surface !== surface) {
    surface = request.surface;
    if (tab !== "curl") tab = tab.replace(/^\w+/, surface);
  }
  for (const { id } of TABS) {
    find(`#tab-${id}`).setAttribute("aria-selected", String(id === tab));
    find(`#tab-${id}`).tabIndex = id === tab ? 0 : -1;
  }
  find("#listing").setAttribute("aria-labelledby", `tab-${tab}`);
  find("#code").replaceChildren(...tokens(snippet(tab, request)).map(([kind, text]) => (kind ? make("span", { class: kind }, text) : text)));
  find("#install-row").hidden = !installLine();
  find("#install").textContent = installLine();
  find("#code-note").textContent = notesOn(request).join(" ");
}

function notesOn(request) {
  const { file, run } = TABS.find(({ id }) => id === tab);
  const names = unsupported(tab, request);
  const files = request.inputs.filter((input) => !input.address).map((input) => input.name);
  if (request.mask && !tab.startsWith("gemini")) files.push("mask.png");
  return [
    file && say("code_run", { file, run }),
    !["sandbox", "playground"].includes(request.key) && say("code_key"),
    files.length && say("code_files", { names: files.join(", ") }),
    names.length && say("code_lacks", { names: names.join(", ") }),
  ].filter(Boolean);
}
