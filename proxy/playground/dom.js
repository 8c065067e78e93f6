// DOM helpers that the other files share.

/** The element that a selector matches. */
export const find = (selector) => document.querySelector(selector);

/**
 * A new element. Attributes starting with "on" are listeners; children are elements or text.
 * Text is always set as text: a prompt or an error is never parsed as HTML.
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** A button with words. */
export const button = (kind, words, onclick, more = {}) => make("button", { type: "button", class: kind, onclick, ...more }, words);

/** Stores a preference (never a key or a prompt). Without storage it lasts as long as the page. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`twinlens.${name}`);
    else localStorage.setItem(`twinlens.${name}`, value);
  } catch {
    // The page works in browsers that forbid storage.
  }
}

/** A name that is not in `taken`: a number is put before its ending. */
export function uniqueName(name, taken) {
  const [, stem, ending] = name.match(/^(.*?)(\.[^.]*)?$/s);
  let unique = name;
  for (let number = 2; taken.includes(unique); number += 1) unique = `${stem}-${number}${ending ?? ""}`;
  return unique;
}

/** Words as the stem of a file name that is valid on every system: at most 60 characters, cut between words. */
export function stemOf(words) {
  const clean = words
    .normalize("NFC")
    .replace(/\[\[.*?\]\]/g, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  const short = clean.length > 60 ? clean.slice(0, 61).replace(/-[^-]*$/, "").slice(0, 60) : clean;
  return short || "picture";
}

/** Downloads a blob as a file. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Copies text. Returns whether it worked. Pages without https have no clipboard object. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
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
}
