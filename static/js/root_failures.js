// @ts-check
/** Which failures are roots and which tasks were skipped because of each; as Markdown. Pure. */

import { reasonWord } from "./words.js";

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
