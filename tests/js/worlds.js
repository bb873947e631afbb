// A small server: holds the truth, makes numbered frames of its changes, and a wire that misbehaves.

import { VERSION } from "../../static/js/columns.js";

const BASE = 7;
const STATES = ["blocked", "queued", "dispatched", "running", "retrying", "completed", "failed"];
const MOMENTS = new Set(["since", "started_at", "finished_at", "held_from", "held_to"]);
const COLUMNS = ["id", "title", "depends_on", "resources", "team", "task_type", "demand", "state", "since", "attempts", "started_at", "finished_at", "error", "waits", "held_from", "held_to", "reason", "skipped_because_of"];

/** A generator that gives the same numbers for the same seed. */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A column as the server packs it (see docs/live.md). */
export function packed(name, values) {
  if (name === "waits") {
    const keys = [...new Set(values.flatMap((row) => Object.keys(row)))];
    return { keys, ms: values.map((row) => Object.entries(row).flatMap(([key, s]) => [keys.indexOf(key), 1000 * s])) };
  }
  const told = MOMENTS.has(name) ? values.map((s) => (s === null ? null : 1000 * (s - BASE))) : values;
  const of = [...new Set(told)];
  if (of.length === 1) {
    return { same: told[0] };
  }
  return 2 * of.length <= told.length ? { of, at: told.map((value) => of.indexOf(value)) } : told;
}

/** Two frames, one after the other, as one: what a server that is behind sends (frames.merged). */
export function merged(one, next) {
  const both = (name) => {
    const known = structuredClone(one[name]);
    for (const [key, fields] of Object.entries(next[name])) known[key] = { ...known[key], ...fields };
    return known;
  };
  const first = { first: one.first ?? one.seq, first_now: one.first_now ?? one.now };
  return { ...next, ...first, execution: { ...one.execution, ...next.execution }, tasks: both("tasks"), demands: both("demands") };
}

export class Server {
  constructor(random, size) {
    this.random = random;
    this.seq = 0;
    this.tasks = Array.from({ length: size }, (_, i) => ({
      id: `TASK-${i}`, title: "", depends_on: [], resources: [], team: "dev", task_type: "", demand: i % 2,
      state: "blocked", since: 0, attempts: 0, started_at: null, finished_at: null, error: "", waits: {},
    }));
    this.execution = { id: "PEXEC-1", name: "n", state: "running", completed_at: null, counts: {}, total: size };
    this.demands = { 0: { keys: [], queued: 0, since: null, reserved_for: "" }, 1: { keys: [], queued: 0, since: null, reserved_for: "" } };
  }

  /** One commit: some tasks and a demand change; returns its frame. */
  change() {
    this.seq += 1;
    const tasks = {};
    const times = 1 + Math.floor(this.random() * 3);
    for (let i = 0; i < times; i += 1) {
      const position = Math.floor(this.random() * this.tasks.length);
      const waits = { "team:dev": this.seq, ...(this.random() < 0.5 ? { workers: 1 } : {}) };
      const fields = { state: STATES[Math.floor(this.random() * STATES.length)], since: this.seq, waits };
      Object.assign(this.tasks[position], fields);
      tasks[position] = { ...tasks[position], ...fields };
    }
    const number = Math.floor(this.random() * 2);
    const demand = { keys: [`team:t${this.seq}`], queued: this.seq, since: this.seq, reserved_for: "" };
    this.demands[number] = demand;
    this.execution.counts = this.counts();
    return structuredClone({
      type: "delta", seq: this.seq, now: this.seq, execution: { counts: this.execution.counts }, tasks, demands: { [number]: demand },
    });
  }

  /** One commit: all is over. */
  end() {
    this.seq += 1;
    const tasks = {};
    this.tasks.forEach((task, position) => {
      tasks[position] = { state: "completed", since: this.seq };
      Object.assign(task, tasks[position]);
    });
    const execution = { state: "completed", completed_at: this.seq, counts: this.counts() };
    Object.assign(this.execution, execution);
    return structuredClone({ type: "delta", seq: this.seq, now: this.seq, execution, tasks, demands: {} });
  }

  counts() {
    const counts = {};
    for (const task of this.tasks) {
      counts[task.state] = (counts[task.state] ?? 0) + 1;
    }
    return counts;
  }

  snapshot() {
    return structuredClone({
      type: "snapshot", version: VERSION, seq: this.seq, now: this.seq, execution: this.execution,
      base: BASE, count: this.tasks.length,
      tasks: Object.fromEntries(COLUMNS.map((name) => [name, packed(name, this.tasks.map((task) => task[name] ?? null))])),
      demands: this.demands, attempts: [], limits: {},
    });
  }
}
