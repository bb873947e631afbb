// @ts-check
/** Why a task stands where it stands, in one line. Reads the store; knows no document. */

import { duration, reasonWord, waitWord } from "./words.js";

const NAMES_SHOWN = 3;

/**
 * @param {import("./store.js").ExecutionStore} store
 * @param {import("./store.js").Task} task
 * @param {number} now
 * @returns {string}
 */
export function why(store, task, now) {
  switch (task.state) {
    case "queued":
      return whyQueued(store, task);
    case "blocked":
      return `waits for ${unmet(store, task)}`;
    case "retrying":
      return task.not_before === null || task.not_before === undefined
        ? "next attempt soon"
        : `next attempt in ${duration(task.not_before - now)}${task.error ? ` · ${firstLine(task.error)}` : ""}`;
    case "dispatched":
      return task.runner === "external" ? `waits for somebody${task.team ? ` of ${task.team}` : ""} to take it` : "sent to a worker";
    case "running":
      return task.progress_line || "";
    case "failed":
      return `${reasonWord(task.reason)}: ${firstLine(task.error)}`;
    case "skipped":
      return task.skipped_because_of ? `skipped because of ${task.skipped_because_of}` : "the run stopped before it";
    default:
      return firstLine(task.error);
  }
}

/**
 * @param {import("./store.js").ExecutionStore} store
 * @param {import("./store.js").Task} task
 */
function whyQueued(store, task) {
  const keys = store.waitsFor(task);
  if (keys.length === 0) {
    return "about to start";
  }
  const reserved = store.demands.get(task.demand)?.reserved_for;
  return keys
    .map((key) => {
      const word = key === "reserved" && reserved ? `kept for ${reserved}` : waitWord(key);
      if (!key.includes("resource:")) {
        return word;
      }
      const holders = store.holders(key).map((holder) => holder.id);
      return holders.length > 0 ? `${word} (held by ${names(holders)})` : word;
    })
    .join(" · ");
}

/**
 * @param {import("./store.js").ExecutionStore} store
 * @param {import("./store.js").Task} task
 */
function unmet(store, task) {
  const open = task.depends_on
    .map((position) => store.tasks[position])
    .filter((other) => other !== undefined && other.state !== "completed");
  return open.length > 0 ? names(open.map((other) => other?.id ?? "")) : "its turn";
}

/** @param {string[]} ids */
function names(ids) {
  const shown = ids.slice(0, NAMES_SHOWN).join(", ");
  return ids.length > NAMES_SHOWN ? `${shown} and ${ids.length - NAMES_SHOWN} more` : shown;
}

/** @param {string} text */
export function firstLine(text) {
  return (text ?? "").split("\n", 1)[0] ?? "";
}
