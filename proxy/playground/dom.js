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

/** Stores a preference (never a key or a prompt). Without storage it lasts as long as the page. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`twinlens.${name}`);
    else localStorage.setItem(`twinlens.${name}`, value);
  } catch {
    // The page works in browsers that forbid storage.
  }
}

/** A file name that is valid everywhere, also in a shell command, and is not in `taken`. */
export function fileName(name, taken) {
  const clean = name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+/, "") || "picture.png";
  const [, stem, ending] = clean.match(/^(.*?)(\.[^.]*)?$/u);
  let unique = clean;
  for (let number = 2; taken.includes(unique); number += 1) unique = `${stem}-${number}${ending ?? ""}`;
  return unique;
}

/** Downloads a blob as a file. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
