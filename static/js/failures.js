// @ts-check
/** The failure report: root failures, the earliest first, each with what was skipped because of it. */

import { element, part, stateMark, write } from "./dom.js";
import { markdown, rootFailures } from "./root_failures.js";
import { isUtc } from "./shell.js";
import { isOver } from "./store.js";
import { ago, band, reasonWord, timeOfDay } from "./words.js";

const SHOWN = 50;
const SKIPPED_SHOWN = 8;

/** @typedef {ReturnType<typeof rootFailures>[number]} Failure */

/** @param {import("./execution.js").Page} page */
export function setUpFailures({ store, choose, show, now }) {
  const box = part("failures");
  const list = part("failures-list");
  /** Root failures that a retry shall leave out. @type {Set<string>} */
  const left = new Set();
  let shown = "";
  const draw = () => {
    const failures = rootFailures(store.tasks);
    box.hidden = failures.length === 0;
    write(part("failures-words"), words(failures));
    const signature = failures.map((f) => `${f.task.id}:${f.skipped.length}`).join();
    if (signature !== shown) {
      shown = signature;
      const more = { choose, show, now, left: list.dataset.choose === undefined ? null : left };
      list.replaceChildren(...failures.slice(0, SHOWN).map((failure, n) => article(failure, n === 0 && failures.length > 1, more)));
    }
    showRetry(isOver(store.execution?.state), list, left);
  };
  store.subscribe((change) => (change.whole || change.execution || change.tasks.size > 0) && draw());
  document.addEventListener("pexec:look", () => {
    shown = "";
    draw();
  });
  list.addEventListener("change", (event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    left[box.checked ? "delete" : "add"](box.value);
    showRetry(isOver(store.execution?.state), list, left);
  });
  list.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("a[data-task]");
    if (link instanceof HTMLElement) {
      event.preventDefault();
      choose(link.dataset.task ?? null);
    }
  });
  const copy = part("failures-copy");
  copy.addEventListener("click", () => {
    copy.dataset.copy = markdown(rootFailures(store.tasks));
  });
  copy.dataset.copy = "";
}

/** @param {Failure[]} failures */
function words(failures) {
  const skipped = failures.reduce((sum, failure) => sum + failure.skipped.length, 0);
  const [noun, them] = failures.length === 1 ? ["failure", "it"] : ["failures", "them"];
  const more = skipped > 0 ? `, ${skipped} skipped because of ${them}` : "";
  return `${failures.length} root ${noun}${more}`;
}

/**
 * The button says what it would do, and why it cannot be pressed.
 * @param {boolean} isOver
 * @param {HTMLElement} list
 * @param {Set<string>} left
 */
function showRetry(isOver, list, left) {
  const button = document.getElementById("failures-retry");
  if (button instanceof HTMLButtonElement) {
    const some = list.querySelector("input:checked") !== null;
    button.disabled = !isOver || !some;
    button.title = isOver ? (some ? "" : "Tick a task first") : "Once the execution is over";
    write(button, left.size === 0 ? "Retry these" : "Retry the ticked");
  }
}

/**
 * @param {Failure} failure
 * @param {boolean} isFirst  of several: what failed before all else
 * @param {{choose: (id: string) => void, show: (tab: string, id: string) => void, now: () => number, left: Set<string> | null}} more
 */
function article({ task, skipped }, isFirst, { choose, show, now, left }) {
  const lane = [task.team, task.task_type].filter(Boolean).join(" / ");
  const more = skipped.length > SKIPPED_SHOWN ? ` and ${skipped.length - SKIPPED_SHOWN} more` : "";
  const link = taskLink(task.id);
  return element(
    "article",
    { class: "failure", "data-task": task.id },
    element(
      "div",
      { class: "line" },
      left && element("input", { type: "checkbox", name: "only", value: task.id, checked: !left.has(task.id), "aria-label": `Retry ${task.id}` }),
      stateMark("failed"),
      element("b", { class: "wrap" }, link),
      isFirst && element("span", { class: "chip first" }, "failed first"),
      task.title && element("span", { class: "wrap" }, task.title),
      lane && element("span", { class: "soft" }, lane),
      band(task.priority) !== "normal" && element("span", { class: "soft" }, band(task.priority)),
      element("span", {}, `${task.attempts} ${task.attempts === 1 ? "attempt" : "attempts"}`),
      task.finished_at && element("span", { class: "num" }, timeOfDay(task.finished_at, isUtc()), " ", when(task.finished_at, now())),
      element(
        "div",
        { class: "actions" },
        element("button", { type: "button", class: "small", onclick: () => choose(task.id) }, "Output"),
        element("button", { type: "button", class: "small", "data-copy": `${task.id}: ${task.error}` }, "Copy error"),
        element("button", { type: "button", class: "small", "data-copy": link.href }, "Copy link"),
        element("button", { type: "button", class: "small", onclick: () => show("graph", task.id) }, "Show in graph"),
      ),
    ),
    element("pre", {}, `${reasonWord(task.reason)}: ${task.error}`),
    skipped.length > 0 &&
      element("p", { class: "small soft wrap" }, "skipped because of it: ", ...skipped.slice(0, SKIPPED_SHOWN).flatMap((id, n) => (n > 0 ? [", ", taskLink(id)] : [taskLink(id)])), more),
  );
}

/** @param {string} id */
function taskLink(id) {
  return /** @type {HTMLAnchorElement} */ (element("a", { href: `?tab=tasks&task=${encodeURIComponent(id)}`, "data-task": id }, id));
}

/**
 * How long ago, kept fresh as every time on the page is.
 * @param {number} at
 * @param {number} now
 */
function when(at, now) {
  return element("time", { class: "soft", datetime: new Date(1000 * at).toISOString(), "data-ago": true }, ago(now - at));
}
