// How much of a limit was in use: from the slot taken to the slot given back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { steps } from "../../static/js/bars.js";
import { binding, usesOf } from "../../static/js/charts.js";
import { markdown, rootFailures } from "../../static/js/root_failures.js";
import { coalesced } from "../../static/js/redraw.js";
import { DashboardStore } from "../../static/js/dashboard_store.js";
import { ExecutionStore } from "../../static/js/store.js";
import { Server, dice } from "./worlds.js";

function held(...tasks) {
  const server = new Server(dice(3), tasks.length);
  tasks.forEach((task, i) => Object.assign(server.tasks[i], task));
  const store = new ExecutionStore();
  store.apply(server.snapshot());
  return { server, store };
}

function delta(server, tasks) {
  server.seq += 1;
  return { type: "delta", seq: server.seq, now: server.seq, execution: {}, tasks, demands: {} };
}

test("a slot counts from when it was taken to when it was given back, not from run to run", () => {
  const { store } = held(
    { state: "completed", held_from: 10, started_at: 11, finished_at: 14, held_to: 15 },
    { state: "running", held_from: 15, started_at: 16, held_to: null },
    { state: "queued", held_from: null, held_to: null },
  );
  assert.deepEqual(usesOf(store, "team:dev", 20), [
    { from: 10, to: 15, units: 1 },
    { from: 15, to: 20, units: 1 },
  ]);
  assert.deepEqual(steps(usesOf(store, "team:dev", 20)), [[10, 1], [15, 1], [20, 0]]);
});

test("a task that holds a resource alone counts with all its units", () => {
  const { store } = held({ state: "completed", resources: [["db", 0], ["licence", 2]], held_from: 1, held_to: 2 });
  store.limits = { "resource:db": [0, 3] };
  assert.deepEqual(usesOf(store, "resource:db", 9).map((use) => use.units), [3]);
  assert.deepEqual(usesOf(store, "resource:licence", 9).map((use) => use.units), [2]);
  assert.deepEqual(usesOf(store, "resource:other", 9), []);
});

test("every attempt of a task that is tried again keeps its time, told live or at once", () => {
  const { server, store } = held({ state: "running", attempts: 1, held_from: 1, held_to: null });
  store.apply(delta(server, { 0: { state: "retrying", attempts: 1, held_to: 3 } }));
  store.apply(delta(server, { 0: { state: "dispatched", attempts: 2, held_from: 5, held_to: null } }));
  store.apply(delta(server, { 0: { state: "queued", attempts: 2, held_to: 6 } }));
  store.apply(delta(server, { 0: { state: "dispatched", attempts: 3, held_from: 7, held_to: null } }));
  const spans = usesOf(store, "team:dev", 9).map((use) => [use.from, use.to]).sort((a, b) => a[0] - b[0]);
  assert.deepEqual(spans, [[1, 3], [5, 6], [7, 9]]);
});

test("what bound a run so far is as it was summed up last, with what tasks wait for now", () => {
  const { server, store } = held(
    { state: "running" },
    { state: "queued", demand: 0 },
    { state: "queued", demand: 0 },
    { state: "blocked", demand: 0 },
  );
  const demands = { 0: { keys: ["team:dev"], queued: 2 } };
  store.apply({ ...delta(server, {}), demands });
  const run = { started_at: 100, summed_at: 110, alone: { workers: 5 }, waited: { "team:dev": 2, workers: 9, backoff: 0 } };
  assert.deepEqual(binding(store, run), [
    { key: "workers", share: 0.5, waited: 9, waiting: 0 },
    { key: "team:dev", share: 0, waited: 2, waiting: 2 },
  ]);
  const unsummed = { started_at: 100, summed_at: null, alone: {}, waited: {} };
  assert.deepEqual(binding(store, unsummed), [{ key: "team:dev", share: 0, waited: 0, waiting: 2 }]);
});

test("failures are told with what each skipped, and as Markdown that holds any text", () => {
  const { store } = held(
    { id: "a", state: "failed", finished_at: 2, error: "```\nboom", reason: "error", attempts: 2 },
    { id: "b", state: "failed", finished_at: 1, error: "no", reason: "timeout", attempts: 1 },
    { id: "c", state: "skipped", skipped_because_of: "a" },
  );
  const failures = rootFailures(store.tasks);
  assert.deepEqual(failures.map((f) => [f.task.id, f.skipped]), [["b", []], ["a", ["c"]]]);
  assert.match(markdown(failures), /````\n```\nboom\n````\n\nSkipped because of it: c$/);
});

test("many changes are drawn once, and a change after that once more", () => {
  const due = [];
  let drawn = 0;
  const draw = coalesced(() => (drawn += 1), 100, { later: (run) => due.push(run) });
  draw();
  draw();
  assert.equal(due.length, 1);
  due.pop()();
  assert.equal(drawn, 1);
  draw();
  due.pop()();
  assert.equal(drawn, 2);
});

test("the dashboard's run time grows by what runs, and a snapshot sets it right", () => {
  const store = new DashboardStore();
  const row = { id: "PEXEC-1", state: "running", counts: { running: 3 }, work_s: 10 };
  store.apply({ type: "snapshot", now: 100, executions: { 1: row }, limits: {}, figures: {} });
  store.apply({ type: "delta", seq: 4, now: 102, executions: {}, limits: {} });
  assert.equal(store.executions.get("1").work_s, 16);
  store.apply({ type: "delta", seq: 5, now: 103, executions: { 1: { counts: { running: 0 } } }, limits: {} });
  assert.equal(store.executions.get("1").work_s, 19);
  store.apply({ type: "delta", seq: 6, now: 109, executions: {}, limits: {} });
  assert.equal(store.executions.get("1").work_s, 19);
});
