// @ts-check
/**
 * The one place of a page that knows how an execution stands. Every view reads from here, so no two
 * views can disagree. Knows frames, not sockets and not the document.
 */

import { column } from "./columns.js";

/**
 * @typedef {object} Task
 * @property {number} position
 * @property {string} id
 * @property {string} title
 * @property {string} runner
 * @property {number} priority
 * @property {string} team
 * @property {string} task_type
 * @property {[string, number][]} resources  id and units; 0 units: alone
 * @property {number[]} depends_on  positions
 * @property {number | null} duration_s
 * @property {number} demand
 * @property {number} level
 * @property {string} state
 * @property {number} since
 * @property {number} attempts
 * @property {number | null} started_at
 * @property {number | null} finished_at
 * @property {string} reason
 * @property {string} error
 * @property {string} skipped_because_of
 * @property {number | null} not_before
 * @property {number | null} progress
 * @property {string} progress_line
 * @property {string} worker
 * @property {Record<string, number>} waits
 * @property {number | null} held_from  when its last attempt took its slot
 * @property {number | null} held_to  when it gave it back
 *
 * @typedef {object} Demand
 * @property {string[]} keys
 * @property {number} queued
 * @property {number | null} since
 * @property {string} reserved_for
 *
 * @typedef {object} Execution
 * @property {string} id
 * @property {string} name
 * @property {string} state
 * @property {string} outcome
 * @property {string} error
 * @property {number} created_at
 * @property {number | null} started_at
 * @property {number | null} completed_at
 * @property {number} total
 * @property {Record<string, number>} counts
 * @property {Record<string, any>} config
 * @property {Record<string, any>} plan
 * @property {Record<string, number>} alone
 * @property {Record<string, number>} waited
 * @property {number | null} summed_at  up to when those two are summed up
 *
 * @typedef {object} EarlierAttempt
 * @property {number} position
 * @property {number} number
 * @property {number | null} started_at
 * @property {number | null} finished_at
 * @property {string} state
 * @property {number | null} held_from
 * @property {number | null} held_to
 *
 * @typedef {object} Change
 * @property {boolean} whole  everything may have changed
 * @property {boolean} execution
 * @property {Set<number>} tasks  positions
 * @property {boolean} demands
 *
 * @typedef {"applied" | "dropped" | "gap"} Verdict
 */

/** @returns {Change} */
function noChange() {
  return { whole: false, execution: false, tasks: new Set(), demands: false };
}

export class ExecutionStore {
  /** @param {(run: () => void) => void} schedule  when to tell listeners: once for many frames */
  constructor(schedule = (run) => run()) {
    /** @type {number | null} */
    this.seq = null;
    /** @type {Execution | null} */
    this.execution = null;
    /** @type {Task[]} */
    this.tasks = [];
    /** @type {Map<string, Task>} */
    this.byId = new Map();
    /** @type {Map<number, Demand>} */
    this.demands = new Map();
    /** @type {EarlierAttempt[]} */
    this.attempts = [];
    /** @type {Record<string, [number, number]>} */
    this.limits = {};
    /** Time of the newest frame, by the server's clock. */
    this.now = 0;
    this._schedule = schedule;
    /** Who holds slots; null: to be found again. @type {Task[] | null} */
    this._active = null;
    /** @type {Set<(change: Change) => void>} */
    this._listeners = new Set();
    this._pending = noChange();
    this._isScheduled = false;
  }

  /**
   * Take one frame. "gap": one is missing, ask for a snapshot; nothing was changed.
   * @param {any} frame
   * @returns {Verdict}
   */
  apply(frame) {
    if (frame.type === "snapshot") {
      return this._applySnapshot(frame);
    }
    if (this.seq === null || (frame.first ?? frame.seq) > this.seq + 1) {
      return "gap";
    }
    if (frame.seq < this.seq) {
      return "dropped";
    }
    this._applyDelta(frame);
    return "applied";
  }

  /**
   * @param {any} frame
   * @returns {Verdict}
   */
  _applySnapshot(frame) {
    if (this.seq !== null && frame.seq < this.seq) {
      return "dropped";
    }
    this.seq = frame.seq;
    this.now = frame.now;
    this.execution = frame.execution;
    this.tasks = tasksOf(frame);
    this.byId = new Map(this.tasks.map((task) => [task.id, task]));
    this.demands = new Map(Object.entries(frame.demands).map(([n, d]) => [Number(n), d]));
    this.attempts = frame.attempts.map((/** @type {any[]} */ row) => ({
      position: row[0],
      number: row[1],
      started_at: row[2],
      finished_at: row[3],
      state: row[4],
      held_from: row[5] ?? null,
      held_to: row[6] ?? null,
    }));
    this.limits = frame.limits;
    this._active = null;
    this._pending.whole = true;
    this._announce();
    return "applied";
  }

  /** @param {any} frame */
  _applyDelta(frame) {
    this.seq = frame.seq;
    this.now = frame.now;
    this._active = null;
    const pending = this._pending;
    if (Object.keys(frame.execution).length > 0) {
      Object.assign(/** @type {Execution} */ (this.execution), frame.execution);
      pending.execution = true;
    }
    for (const [key, fields] of Object.entries(frame.tasks)) {
      const position = Number(key);
      const task = this.tasks[position];
      if (task !== undefined) {
        this._rememberAttempt(task, fields);
        Object.assign(task, fields);
        pending.tasks.add(position);
      }
    }
    for (const [key, fields] of Object.entries(frame.demands)) {
      const known = this.demands.get(Number(key)) ?? {};
      this.demands.set(Number(key), /** @type {Demand} */ ({ ...known, .../** @type {any} */ (fields) }));
      pending.demands = true;
    }
    this._announce();
  }

  /**
   * An attempt that ended and will be followed by another is kept for the timeline.
   * @param {Task} task
   * @param {any} fields
   */
  _rememberAttempt(task, fields) {
    const hasGivenBack = fields.state === "queued" && (fields.held_to ?? null) !== null;
    if (fields.state !== "retrying" && !hasGivenBack) {
      return;
    }
    const number = fields.attempts ?? task.attempts;
    if (number < task.attempts) {
      return; // it never began: its number is given again
    }
    if (this.attempts.some((a) => a.position === task.position && a.number === number)) {
      return;
    }
    this.attempts.push({
      position: task.position,
      number,
      started_at: fields.started_at ?? task.started_at,
      finished_at: fields.finished_at ?? fields.since ?? null,
      state: "failed",
      held_from: fields.held_from ?? task.held_from ?? null,
      held_to: fields.held_to ?? null,
    });
  }

  _announce() {
    if (this._isScheduled) {
      return;
    }
    this._isScheduled = true;
    this._schedule(() => {
      const change = this._pending;
      this._pending = noChange();
      this._isScheduled = false;
      for (const listener of this._listeners) {
        listener(change);
      }
    });
  }

  /**
   * Hear of changes; called at once if there is something to show already.
   * @param {(change: Change) => void} listener
   */
  subscribe(listener) {
    this._listeners.add(listener);
    if (this.execution !== null) {
      listener({ ...noChange(), whole: true });
    }
    return () => this._listeners.delete(listener);
  }

  /**
   * What a queued task waits for now: LimitKeys or Holds.
   * @param {Task} task
   * @returns {string[]}
   */
  waitsFor(task) {
    if (task.state === "retrying") {
      return ["backoff"];
    }
    return task.state === "queued" ? (this.demands.get(task.demand)?.keys ?? []) : [];
  }

  /**
   * Tasks of this execution that hold a slot under a key.
   * @param {string} key
   * @returns {Task[]}
   */
  holders(key) {
    this._active ??= this.tasks.filter((task) => isActive(task.state));
    return this._active.filter((task) => unitsUnder(task, key) !== null);
  }

  /**
   * How many tasks are in each state, counted from the tasks themselves.
   * @returns {Record<string, number>}
   */
  counts() {
    /** @type {Record<string, number>} */
    const found = {};
    for (const task of this.tasks) {
      found[task.state] = (found[task.state] ?? 0) + 1;
    }
    return found;
  }
}

/**
 * @param {any} frame  a snapshot
 * @returns {Task[]}
 */
function tasksOf(frame) {
  const of = (/** @type {string} */ name) => column(frame, name);
  const id = of("id");
  const title = of("title");
  const runner = of("runner");
  const priority = of("priority");
  const team = of("team");
  const task_type = of("task_type");
  const resources = of("resources");
  const depends_on = of("depends_on");
  const duration_s = of("duration_s");
  const demand = of("demand");
  const level = of("level");
  const state = of("state");
  const since = of("since");
  const attempts = of("attempts");
  const started_at = of("started_at");
  const finished_at = of("finished_at");
  const reason = of("reason");
  const error = of("error");
  const skipped_because_of = of("skipped_because_of");
  const not_before = of("not_before");
  const progress = of("progress");
  const progress_line = of("progress_line");
  const worker = of("worker");
  const waits = of("waits");
  const held_from = of("held_from");
  const held_to = of("held_to");
  return Array.from({ length: frame.count }, (_, position) => ({
    position,
    id: id[position],
    title: title[position],
    runner: runner[position],
    priority: priority[position],
    team: team[position],
    task_type: task_type[position],
    resources: resources[position],
    depends_on: depends_on[position],
    duration_s: duration_s[position],
    demand: demand[position],
    level: level[position],
    state: state[position],
    since: since[position],
    attempts: attempts[position],
    started_at: started_at[position],
    finished_at: finished_at[position],
    reason: reason[position],
    error: error[position],
    skipped_because_of: skipped_because_of[position],
    not_before: not_before[position],
    progress: progress[position],
    progress_line: progress_line[position],
    worker: worker[position],
    waits: waits[position],
    held_from: held_from[position],
    held_to: held_to[position],
  }));
}

/**
 * Whether a task run in this state holds a slot.
 * @param {string} state
 */
export function isActive(state) {
  return state === "running" || state === "dispatched";
}

const FINAL = new Set(["completed", "failed", "cancelled", "skipped"]);

/**
 * Whether a state never changes again.
 * @param {string} state
 */
export function isFinal(state) {
  return FINAL.has(state);
}

/**
 * How many tasks are over, however they went: the progress of a run.
 * @param {Record<string, number>} counts  by state
 */
export function ended(counts) {
  return [...FINAL].reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

const OVER = new Set(["completed", "failed", "cancelled"]);

/**
 * Whether an execution in this state has ended.
 * @param {string | undefined} state
 */
export function isOver(state) {
  return OVER.has(state ?? "");
}

/**
 * Units a task holds under a key while it runs: null if none, 0 if all of them (alone).
 * @param {Task} task
 * @param {string} key
 * @returns {number | null}
 */
export function unitsUnder(task, key) {
  const bare = key.includes("/") ? key.slice(key.indexOf("/") + 1) : key;
  if (bare === "max_concurrency" || bare === "workers") {
    return 1;
  }
  const split = bare.indexOf(":");
  const [kind, name] = [bare.slice(0, split), bare.slice(split + 1)];
  if (kind === "team") {
    return task.team === name ? 1 : null;
  }
  if (kind === "task_type") {
    return task.task_type === name ? 1 : null;
  }
  const need = task.resources.find(([id]) => id === name);
  return need === undefined ? null : need[1];
}
