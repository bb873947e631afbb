// @ts-check
/** The failure report: root failures, the earliest first, each with what was skipped because of it. */

import { element, part, stateMark, write } from "./dom.js";
import { isUtc } from "./shell.js";
import { band, reasonWord, timeOfDay } from "./words.js";

const SHOWN = 50;
const SKIPPED_SHOWN = 8;

/**
 * Root failures with the tasks each one skipped.
 * @param {import("./store.js").Task[]} tasks
 */
export function rootFailures(tasks) {
  /** @type {Map<string, string[]>} */
  const skipped = new Map();
  for (const task of tasks) {
    if (task.state === "skipped" && task.skipped_because_of) {
      const known = skipped.get(task.skipped_because_of) ?? [];
      known.push(task.id);
      skipped.set(task.skipped_because_of, known);
    }
  }
  return tasks
    .filter((task) => task.state === "failed")
    .sort((a, b) => (a.finished_at ?? 0) - (b.finished_at ?? 0) || a.position - b.position)
    .map((task) => ({ task, skipped: skipped.get(task.id) ?? [] }));
}

/** @param {import("./execution.js").Page} page */
export function setUpFailures({ store, choose }) {
  const box = part("failures");
  const list = part("failures-list");
  let shown = "";
  store.subscribe((change) => {
    if (!change.whole && change.tasks.size === 0) {
      return;
    }
    const failures = rootFailures(store.tasks);
    const skipped = failures.reduce((sum, failure) => sum + failure.skipped.length, 0);
    box.hidden = failures.length === 0;
    write(
      part("failures-words"),
      `${failures.length} root ${failures.length === 1 ? "failure" : "failures"}` +
        (skipped > 0 ? `, ${skipped} skipped because of ${failures.length === 1 ? "it" : "them"}` : ""),
    );
    const signature = failures.map((f) => `${f.task.id}:${f.skipped.length}`).join();
    if (signature !== shown) {
      shown = signature;
      list.replaceChildren(...failures.slice(0, SHOWN).map((failure) => article(failure, choose)));
    }
  });
  const copy = part("failures-copy");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(markdown(rootFailures(store.tasks)));
    write(copy, "Copied");
  });
}

/**
 * @param {{task: import("./store.js").Task, skipped: string[]}} failure
 * @param {(id: string) => void} choose
 */
function article({ task, skipped }, choose) {
  const more = skipped.length > SKIPPED_SHOWN ? ` (and ${skipped.length - SKIPPED_SHOWN} more)` : "";
  const lane = [task.team, task.task_type].filter(Boolean).join(" / ");
  return element(
    "article",
    { class: "failure", "data-task": task.id },
    element(
      "div",
      { class: "line" },
      stateMark("failed"),
      element("b", { class: "wrap" }, task.id),
      task.title && element("span", { class: "wrap" }, task.title),
      lane && element("span", { class: "soft" }, lane),
      band(task.priority) !== "normal" && element("span", { class: "soft" }, band(task.priority)),
      element("span", {}, `attempt ${task.attempts}`),
      task.finished_at && element("span", { class: "num" }, timeOfDay(task.finished_at, isUtc())),
      element("button", { type: "button", class: "small", onclick: () => choose(task.id) }, "Output"),
      element(
        "button",
        { type: "button", class: "small", "data-copy": `${task.id}: ${task.error}` },
        "Copy error",
      ),
    ),
    element("pre", {}, `${reasonWord(task.reason)}: ${task.error}`),
    skipped.length > 0 &&
      element(
        "p",
        { class: "small soft wrap" },
        `skipped because of it: ${skipped.slice(0, SKIPPED_SHOWN).join(", ")}${more}`,
      ),
  );
}

/** @param {{task: import("./store.js").Task, skipped: string[]}[]} failures */
export function markdown(failures) {
  return failures
    .map(({ task, skipped }) => {
      const fence = "`".repeat(Math.max(3, longestTicks(task.error) + 1));
      const lost = skipped.length > 0 ? `\n\nSkipped because of it: ${skipped.join(", ")}` : "";
      return `### ${task.id} (${reasonWord(task.reason)}, attempt ${task.attempts})\n\n${fence}\n${task.error}\n${fence}${lost}`;
    })
    .join("\n\n");
}

/** @param {string} text */
function longestTicks(text) {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((ticks) => ticks.length));
}
