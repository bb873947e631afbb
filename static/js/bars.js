// @ts-check
/** What the timeline draws, as numbers: spans of waiting and running of each task. Pure. */

import { isActive } from "./store.js";
import { band, keyKind } from "./words.js";

/** A slot taken this long before the work began is shown: somebody had to take the work. */
const HELD_SHOWN_S = 0.5;

/**
 * @typedef {object} Span
 * @property {number} from
 * @property {number} to
 * @property {string} kind  `run`, or what is waited for
 * @property {string} state  of the attempt, for runs
 *
 * @typedef {object} Bar
 * @property {import("./store.js").Task} task
 * @property {Span[]} spans
 * @property {number} first  where it begins, or Infinity
 */

/**
 * The bar of one task: what it waited for before it ran, coloured later by kind, then its runs.
 * @param {import("./store.js").ExecutionStore} store
 * @param {import("./store.js").Task} task
 * @param {{number: number, started_at: number | null, finished_at: number | null, state: string}[]} earlier
 * @param {number} now
 * @returns {Bar}
 */
export function bar(store, task, earlier, now) {
  /** @type {Span[]} */
  const spans = [];
  for (const attempt of earlier) {
    if (attempt.started_at !== null && attempt.finished_at !== null) {
      spans.push({ from: attempt.started_at, to: attempt.finished_at, kind: "run", state: attempt.state === "returned" ? "cancelled" : "failed" });
    }
  }
  const isRunning = isActive(task.state);
  if (task.started_at && (task.finished_at || isRunning)) {
    const isKnown = earlier.some((attempt) => attempt.number === task.attempts);
    if (!isKnown) {
      const state = task.state === "retrying" || task.state === "queued" ? "failed" : task.state;
      spans.push({ from: task.started_at, to: task.finished_at ?? now, kind: "run", state });
    }
  }
  const begun = task.started_at ?? (isRunning ? now : null);
  if (task.held_from && begun !== null && begun - task.held_from > HELD_SHOWN_S) {
    spans.push({ from: task.held_from, to: begun, kind: "run", state: "dispatched" });
  }
  spans.sort((a, b) => a.from - b.from);
  const firstRun = spans[0]?.from;
  const waiting = task.state === "queued" || task.state === "retrying";
  if (waiting) {
    const kind = keyKind(store.waitsFor(task)[0] ?? "hold");
    spans.push({ from: task.since, to: now, kind, state: "" });
  }
  spans.push(...waits(task, firstRun ?? (waiting ? task.since : null)));
  const first = Math.min(Infinity, ...spans.map((span) => span.from));
  return { task, spans, first };
}

/**
 * Seconds waited, laid before the first run, the longest wait first.
 * @param {import("./store.js").Task} task
 * @param {number | null} until
 * @returns {Span[]}
 */
function waits(task, until) {
  if (until === null) {
    return [];
  }
  const known = Object.entries(task.waits ?? {}).filter(([key, waited]) => waited > 0 && key !== "backoff");
  let from = until - known.reduce((sum, [, waited]) => sum + waited, 0);
  return known
    .sort((a, b) => b[1] - a[1])
    .map(([key, waited]) => {
      const span = { from, to: from + waited, kind: keyKind(key), state: "" };
      from += waited;
      return span;
    });
}

/**
 * Bars in drawing order, with a heading wherever the group changes.
 * @param {import("./store.js").ExecutionStore} store
 * @param {string} by  order, team, task_type, band, level
 * @param {number} now
 * @returns {({heading: string} | Bar)[]}
 */
export function lines(store, by, now) {
  /** @type {Map<number, import("./store.js").EarlierAttempt[]>} */
  const earlier = new Map();
  for (const attempt of store.attempts) {
    const known = earlier.get(attempt.position) ?? [];
    known.push(attempt);
    earlier.set(attempt.position, known);
  }
  const bars = store.tasks.map((task) => bar(store, task, earlier.get(task.position) ?? [], now));
  bars.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0) || a.task.position - b.task.position);
  if (by === "order") {
    return bars;
  }
  /** @type {Map<string, Bar[]>} */
  const groups = new Map();
  for (const made of bars) {
    const name = groupName(made.task, by);
    const known = groups.get(name) ?? [];
    known.push(made);
    groups.set(name, known);
  }
  const names = [...groups.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return names.flatMap((name) => [{ heading: name }, ...(groups.get(name) ?? [])]);
}

/**
 * The colours that these lines have, sorted: kinds of waiting, states of attempts.
 * @param {ReturnType<typeof lines>} shown
 * @returns {string[]}
 */
export function colours(shown) {
  const found = new Set();
  for (const line of shown) {
    if ("spans" in line) {
      line.spans.forEach((span) => found.add(span.kind === "run" ? span.state : span.kind));
    }
  }
  return [...found].sort();
}

/**
 * @param {import("./store.js").Task} task
 * @param {string} by
 */
function groupName(task, by) {
  if (by === "band") {
    return band(task.priority);
  }
  if (by === "level") {
    return `level ${task.level + 1}`;
  }
  return (by === "team" ? task.team : task.task_type) || (by === "team" ? "no team" : "no type");
}

/**
 * How many units a key had in use over time: steps of [time, units], from the runs themselves.
 * @param {{from: number, to: number, units: number}[]} uses
 * @returns {[number, number][]}
 */
export function steps(uses) {
  /** @type {[number, number][]} */
  const edges = [];
  for (const { from, to, units } of uses) {
    edges.push([from, units], [to, -units]);
  }
  edges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  /** @type {[number, number][]} */
  const found = [];
  let level = 0;
  for (const [at, change] of edges) {
    level += change;
    const last = found.at(-1);
    if (last !== undefined && last[0] === at) {
      last[1] = level;
    } else {
      found.push([at, level]);
    }
  }
  return found;
}
