// @ts-check
/** Slots in use over time against each limit, and which limits bound the run. */

import { steps } from "./bars.js";
import { drawn, element, part } from "./dom.js";
import { coalesced } from "./redraw.js";
import { isOver, unitsUnder } from "./store.js";
import { duration, keyName, waitWord } from "./words.js";

const WIDTH = 400;
const HEIGHT = 100;
const REDRAW_MS = 1000;

/** @param {import("./execution.js").Page} page */
export function setUpCharts(page) {
  const { store } = page;
  const draw = () => {
    const run = store.execution;
    if (!page.isShown("concurrency") || run === null || run.started_at === null) {
      return;
    }
    const end = run.completed_at ?? page.now();
    part("charts").replaceChildren(
      ...keysUsed(store).map((key) => chart(key, usesOf(store, key, page.now()), run.started_at ?? end, end, maximum(store, key))),
    );
    drawBinding(store, run);
  };
  page.onTab(draw);
  store.subscribe(coalesced(draw, REDRAW_MS));
}

/**
 * The keys this execution's tasks are under, its own concurrency first.
 * @param {import("./store.js").ExecutionStore} store
 */
export function keysUsed(store) {
  const id = store.execution?.id ?? "";
  const found = new Set([`${id}/max_concurrency`]);
  for (const task of store.tasks) {
    if (task.team) {
      found.add(`team:${task.team}`);
    }
    if (task.task_type) {
      found.add(`task_type:${task.task_type}`);
    }
    for (const [resource] of task.resources) {
      found.add(`resource:${resource}`);
    }
  }
  return [...found];
}

/**
 * @param {import("./store.js").ExecutionStore} store
 * @param {string} key
 */
function maximum(store, key) {
  const own = store.limits[`${store.execution?.id}/${key}`]?.[1];
  const site = store.limits[key]?.[1];
  if (own === undefined || site === undefined) {
    return own ?? site ?? 0;
  }
  return Math.min(own, site);
}

/**
 * When units of a key were held, by this execution's attempts: from the slot taken to the slot
 * given back, as the report counts it.
 * @param {import("./store.js").ExecutionStore} store
 * @param {string} key
 * @param {number} now
 */
export function usesOf(store, key, now) {
  const whole = maximum(store, key) || 1;
  /** @type {{from: number, to: number, units: number}[]} */
  const uses = [];
  /**
   * @param {import("./store.js").Task | undefined} task
   * @param {number | null} from
   * @param {number | null} to
   */
  const add = (task, from, to) => {
    const units = task === undefined ? null : unitsUnder(task, key);
    if (units !== null && from !== null && from !== undefined) {
      uses.push({ from, to: to ?? now, units: units === 0 ? whole : units });
    }
  };
  for (const task of store.tasks) {
    add(task, task.held_from, task.held_to);
  }
  for (const attempt of store.attempts) {
    const task = store.tasks[attempt.position];
    if (attempt.number !== task?.attempts && attempt.held_to !== null) {
      add(task, attempt.held_from, attempt.held_to);
    }
  }
  return uses;
}

/**
 * @param {string} key
 * @param {{from: number, to: number, units: number}[]} uses
 * @param {number} from
 * @param {number} to
 * @param {number} limit
 */
function chart(key, uses, from, to, limit) {
  const levels = steps(uses);
  const peak = Math.max(0, ...levels.map(([, level]) => level));
  const top = Math.max(1, peak, limit <= 3 * Math.max(peak, 1) ? limit : 0);
  const x = (/** @type {number} */ at) => ((at - from) / Math.max(to - from, 0.001)) * WIDTH;
  const y = (/** @type {number} */ level) => HEIGHT - (level / top) * (HEIGHT - 8);
  let path = `M0 ${HEIGHT}`;
  for (const [at, level] of levels) {
    path += `H${x(at).toFixed(1)}V${y(level).toFixed(1)}`;
  }
  const held = uses.reduce((sum, use) => sum + (use.to - use.from) * use.units, 0);
  const average = to > from ? held / (to - from) : 0;
  const words = `at most ${peak} of ${limit}, on average ${average.toFixed(1)}`;
  return element(
    "section",
    { class: "panel chart" },
    element("h3", {}, element("span", { class: "cut", title: key }, keyName(key)), element("span", { class: "soft small num" }, words)),
    drawn(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${keyName(key)}: ${words}` },
      drawn("path", { class: "area", d: `${path}H${WIDTH}V${HEIGHT}Z` }),
      limit > 0 && limit <= top && drawn("path", { class: "limit", d: `M0 ${y(limit)}H${WIDTH}` }),
    ),
  );
}

/**
 * What bound the run up to when that was summed up last, and what tasks wait for now.
 * @param {import("./store.js").ExecutionStore} store
 * @param {import("./store.js").Execution} run
 * @returns {{key: string, share: number, waited: number, waiting: number}[]}  what bound most first; of the run, in seconds, tasks
 */
export function binding(store, run) {
  /** @type {Map<string, number>} */
  const waiting = new Map();
  for (const task of store.tasks) {
    for (const key of store.waitsFor(task)) {
      waiting.set(key, (waiting.get(key) ?? 0) + 1);
    }
  }
  const summed = (run.summed_at ?? run.completed_at ?? 0) - (run.started_at ?? 0);
  const keys = new Set([...Object.keys(run.alone ?? {}), ...Object.keys(run.waited ?? {}), ...waiting.keys()]);
  return [...keys]
    .map((key) => ({
      key,
      share: summed > 0 ? (run.alone?.[key] ?? 0) / summed : 0,
      waited: run.waited?.[key] ?? 0,
      waiting: waiting.get(key) ?? 0,
    }))
    .filter((limit) => limit.waited > 0 || limit.waiting > 0)
    .sort((a, b) => b.share - a.share || b.waited - a.waited || b.waiting - a.waiting);
}

/**
 * @param {import("./store.js").ExecutionStore} store
 * @param {import("./store.js").Execution} run
 */
function drawBinding(store, run) {
  const rows = binding(store, run);
  const over = isOver(run.state);
  showBinding(
    over ? "What bound the run" : "What bound the run so far",
    ["Limit", "Share of the run some task waited for it alone", "Task time waited", ...(over ? [] : ["Tasks that wait for it now"])],
    rows.map(({ key, share, waited, waiting }) => [
      key,
      `${Math.round(100 * share)} %`,
      duration(waited),
      ...(over ? [] : [String(waiting)]),
    ]),
  );
}

/**
 * @param {string} title
 * @param {string[]} heads
 * @param {[string, ...string[]][]} rows  a key, then figures
 */
function showBinding(title, heads, rows) {
  const box = part("binding");
  box.hidden = rows.length === 0;
  box.replaceChildren(
    element("h2", {}, title),
    element(
      "table",
      { class: "stack" },
      element("thead", {}, element("tr", {}, ...heads.map((words, i) => element("th", { class: i > 0 && "num" }, words)))),
      element(
        "tbody",
        {},
        ...rows.map(([key, ...figures]) =>
          element(
            "tr",
            {},
            element("td", { "data-label": heads[0], title: waitWord(key) }, keyName(key)),
            ...figures.map((figure, i) => element("td", { class: "num", "data-label": heads[i + 1] }, figure)),
          ),
        ),
      ),
    ),
  );
}
