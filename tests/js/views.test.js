// What views compute before they draw.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bar, colours, lines, steps } from "../../static/js/bars.js";
import { ExecutionStore, ended } from "../../static/js/store.js";
import { ago, band, clock, duration, executionLook, executionWord, keyKind, keyName, waitWord } from "../../static/js/words.js";
import { why } from "../../static/js/why.js";
import { Server, dice } from "./worlds.js";

function filled(change = () => {}) {
  const server = new Server(dice(2), 4);
  change(server);
  const store = new ExecutionStore();
  store.apply(server.snapshot());
  return store;
}

test("durations read as clocks", () => {
  assert.deepEqual([0, 4.23, 9.96, 75, 3599.6, 7325, null].map(duration), ["0.0 s", "4.2 s", "00:10", "01:15", "1:00:00", "2:02:05", "–"]);
  assert.deepEqual([0, 59.9, 3600].map(clock), ["00:00", "00:59", "1:00:00"]);
  assert.deepEqual([1, 59, 61, 7200, 90000].map(ago), ["just now", "59 s ago", "1 min ago", "2 h ago", "1 d ago"]);
});

test("a completed run with failures never reads as a bare success", () => {
  assert.equal(executionWord("completed", { completed: 3, failed: 1 }), "Completed with 1 failure");
  assert.equal(executionLook("completed", { failed: 2 }), "partial");
  assert.equal(executionWord("completed", { completed: 3 }), "Completed");
});

test("the progress of a run is what has ended, however it went", () => {
  assert.equal(ended({ completed: 1, failed: 2, skipped: 4, cancelled: 8, running: 16, retrying: 32, queued: 64, blocked: 128 }), 15);
  assert.equal(ended({}), 0);
});

test("keys have names, kinds and reasons", () => {
  assert.equal(keyName("PEXEC-1/max_concurrency"), "max concurrency");
  assert.equal(keyName("resource:staging-db"), "staging-db");
  assert.match(keyName("PEXEC-1/team:dev"), /own limit/);
  assert.deepEqual(["team:a", "workers", "PEXEC-1/max_concurrency", "paused"].map(keyKind), ["team", "workers", "concurrency", "hold"]);
  assert.equal(waitWord("resource:db"), "db is taken");
  assert.equal(waitWord("workers"), "no free worker");
  assert.deepEqual([95, 90, 70, 69].map(band), ["critical", "critical", "high", "normal"]);
});

test("a queued task names who holds the resource it waits for", () => {
  const store = filled((server) => {
    Object.assign(server.tasks[0], { state: "queued", demand: 0 });
    Object.assign(server.tasks[1], { state: "running", resources: [["db", 0]], demand: 1 });
    server.demands[0].keys = ["resource:db"];
  });
  assert.equal(why(store, store.tasks[0], 0), "db is taken (held by TASK-1)");
  const tasks = { 1: { state: "completed" }, 2: { state: "running", resources: [["db", 0]] } };
  store.apply({ type: "delta", seq: store.seq + 1, now: 1, execution: {}, tasks, demands: {} });
  assert.equal(why(store, store.tasks[0], 0), "db is taken (held by TASK-2)");
  store.apply({ type: "delta", seq: store.seq + 1, now: 1, execution: {}, tasks: { 2: { state: "completed" } }, demands: {} });
  assert.equal(why(store, store.tasks[0], 0), "db is taken");
});

test("a blocked task names what is not done", () => {
  const store = filled((server) => {
    server.tasks[2].depends_on = [0, 1];
    server.tasks[0].state = "completed";
  });
  assert.equal(why(store, store.tasks[2], 0), "waits for TASK-1");
});

test("a bar is its waits laid before its runs, with no gap", () => {
  const store = filled((server) => {
    Object.assign(server.tasks[0], { state: "completed", started_at: 100, finished_at: 110, waits: { "team:dev": 5, workers: 2 } });
  });
  const { spans, first } = bar(store, store.tasks[0], [], 120);
  assert.equal(first, 93);
  const sorted = spans.toSorted((a, b) => a.from - b.from);
  assert.deepEqual(sorted.map((s) => [s.from, s.to, s.kind]), [[93, 98, "team"], [98, 100, "workers"], [100, 110, "run"]]);
});

test("the colours of the timeline are those of its bars, and no others", () => {
  const store = filled((server) => {
    Object.assign(server.tasks[0], { state: "completed", started_at: 100, finished_at: 110, waits: { "team:dev": 5 } });
    Object.assign(server.tasks[1], { state: "failed", started_at: 100, finished_at: 104 });
  });
  assert.deepEqual(colours(lines(store, "team", 120)), ["completed", "failed", "team"]);
});

test("every task has one line, and one heading for each group", () => {
  const store = filled((server) => { server.tasks[3].team = ""; });
  const made = lines(store, "team", 0);
  assert.deepEqual(made.filter((l) => "heading" in l).map((l) => l.heading), ["dev", "no team"]);
  assert.equal(made.filter((l) => "task" in l).length, 4);
});

test("steps count what overlaps and end at none", () => {
  const random = dice(11);
  for (let round = 0; round < 200; round += 1) {
    const uses = Array.from({ length: 1 + Math.floor(random() * 20) }, () => {
      const from = Math.floor(random() * 50);
      return { from, to: from + 1 + Math.floor(random() * 20), units: 1 + Math.floor(random() * 3) };
    });
    const found = steps(uses);
    assert.equal(found.at(-1)[1], 0);
    for (let at = 0.5; at < 75; at += 1) {
      const direct = uses.filter((u) => u.from <= at && at < u.to).reduce((sum, u) => sum + u.units, 0);
      const level = found.filter(([t]) => t <= at).at(-1)?.[1] ?? 0;
      assert.equal(level, direct);
    }
  }
});

test("a task for people waits for one of its team, not for a worker", () => {
  const store = filled();
  const task = { ...store.tasks[0], state: "dispatched", runner: "external", team: "pm_team" };
  assert.equal(why(store, task, 0), "waits for somebody of pm_team to take it");
  assert.equal(why(store, { ...task, team: "" }, 0), "waits for somebody to take it");
  assert.equal(why(store, { ...task, runner: "shell" }, 0), "sent to a worker");
});
