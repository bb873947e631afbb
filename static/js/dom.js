// @ts-check
/** Building elements. Text from others only ever becomes a text node here. */

import { stateWord } from "./words.js";

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element with attributes and children; `class`, `data-…`, `aria-…` as in HTML, functions as
 * listeners (`onclick`), true and false as bare attributes.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  set(made, attributes);
  append(made, children);
  return made;
}

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(made, attributes);
  append(made, children);
  return made;
}

/**
 * @param {Element} made
 * @param {Record<string, any>} attributes
 */
function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      made.addEventListener(name.slice(2), value);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, String(value));
    }
  }
}

/**
 * @param {Element} made
 * @param {Child[]} children
 */
function append(made, children) {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) {
      made.append(typeof child === "number" ? String(child) : child);
    }
  }
}

/**
 * The icon of a state, hidden from screen readers: the word stands beside it.
 * @param {string} name
 */
export function icon(name) {
  const source = document.documentElement.dataset.icons ?? "";
  return drawn(
    "svg",
    { class: `icon icon-${name}`, "aria-hidden": "true", viewBox: "0 0 16 16" },
    drawn("use", { href: `${source}#${name}` }),
  );
}

/**
 * State = icon + word + colour.
 * @param {string} state
 * @param {string} [word]
 * @param {string} [look]
 */
export function stateMark(state, word = stateWord(state), look = state) {
  return element("span", { class: `state state-${look}` }, icon(look), word);
}

/**
 * Write only where it differs, so that selections and focus survive.
 * @param {Element | null} target
 * @param {string} text
 */
export function write(target, text) {
  if (target !== null && target.textContent !== text) {
    target.textContent = text;
  }
}

/**
 * The element with this id, which the page's template promises.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function part(id) {
  const found = document.getElementById(id);
  if (found === null) {
    throw new Error(`the page has no part #${id}`);
  }
  return found;
}
