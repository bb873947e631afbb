// The store ends in the server's state, whatever the wire does to frames.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DashboardStore } from "../../static/js/dashboard_store.js";
import { ExecutionStore, unitsUnder } from "../../static/js/store.js";
import { Server, dice, merged } from "./worlds.js";

function agrees(store, server) {
  assert.deepEqual(store.tasks.map((t) => [t.id, t.state, t.since]), server.tasks.map((t) => [t.id, t.state, t.since]));
  assert.deepEqual(store.execution.counts, server.execution.counts);
  assert.deepEqual(store.counts(), server.counts());
  for (const [number, demand] of Object.entries(server.demands)) {
    assert.deepEqual(store.demands.get(Number(number)), demand);
  }
}

test("random loss, duplication and reordering of frames ends in the server's state", () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = dice(seed);
    const server = new Server(random, 1 + Math.floor(random() * 12));
    const store = new ExecutionStore();
    store.apply(server.snapshot());
    let wire = [];
    for (let step = 0; step < 60; step += 1) {
      wire.push(server.change());
      if (random() < 0.4 && wire.at(-2)?.seq + 1 === wire.at(-1).seq) wire.push(merged(...wire.splice(-2)));
      if (random() < 0.3) wire.splice(Math.floor(random() * wire.length), 1);
      if (random() < 0.3 && wire.length > 0) wire.push(structuredClone(wire[Math.floor(random() * wire.length)]));
      if (random() < 0.3) wire.sort(() => random() - 0.5);
      while (wire.length > 0 && random() < 0.7) {
        if (store.apply(wire.shift()) === "gap") {
          store.apply(server.snapshot());
        }
      }
    }
    const last = server.change();
    for (const frame of [...wire, last]) {
      if (store.apply(frame) === "gap") store.apply(server.snapshot());
    }
    agrees(store, server);
  }
});

test("a snapshot read between two commits of one frame is made whole by that frame", () => {
  const server = new Server(dice(3), 4);
  const store = new ExecutionStore();
  const first = server.change();
  const snapshot = server.snapshot();
  server.seq -= 1; // a second commit goes into the frame with the same number
  const second = server.change();
  assert.equal(second.seq, first.seq);
  store.apply(snapshot);
  assert.equal(store.apply(second), "applied");
  agrees(store, server);
});

test("a frame that holds several is applied where its first is the next, or some are known", () => {
  const server = new Server(dice(5), 4);
  const store = new ExecutionStore();
  store.apply(server.snapshot());
  const lost = server.change();
  const several = merged(merged(server.change(), server.change()), server.change());
  assert.equal(store.apply(several), "gap");
  store.apply(lost);
  assert.equal(store.apply(several), "applied");
  assert.equal(store.seq, several.seq);
  agrees(store, server);
  const known = server.change();
  store.apply(known);
  assert.equal(store.apply(merged(known, server.change())), "applied");
  agrees(store, server);
});

test("an old frame is dropped, a missing one asks for a snapshot and changes nothing", () => {
  const server = new Server(dice(9), 3);
  const store = new ExecutionStore();
  assert.equal(store.apply(server.change()), "gap");
  store.apply(server.snapshot());
  const [one, two, three] = [server.change(), server.change(), server.change()];
  assert.equal(store.apply(one), "applied");
  const before = structuredClone(store.tasks);
  assert.equal(store.apply(three), "gap");
  assert.deepEqual(store.tasks, before);
  assert.equal(store.apply(two), "applied");
  assert.equal(store.apply(one), "dropped");
  assert.equal(store.apply(three), "applied");
  agrees(store, server);
});

test("listeners hear of many frames once, with what changed", () => {
  const scheduled = [];
  const store = new ExecutionStore((run) => scheduled.push(run));
  const heard = [];
  store.subscribe((change) => heard.push(change));
  const server = new Server(dice(5), 50);
  store.apply(server.snapshot());
  store.apply(server.change());
  store.apply(server.change());
  assert.equal(scheduled.length, 1);
  scheduled.forEach((run) => run());
  assert.equal(heard.length, 1);
  assert.equal(heard[0].whole, true);
  assert.ok(heard[0].tasks.size > 0);
});

test("an attempt that will be followed by another is kept once", () => {
  const store = new ExecutionStore();
  const server = new Server(dice(1), 1);
  store.apply(server.snapshot());
  const failed = { type: "delta", seq: 1, now: 9, execution: {}, demands: {}, tasks: { 0: { state: "retrying", attempts: 1, started_at: 5, finished_at: 8, since: 8, held_to: 9 } } };
  store.apply(failed);
  store.apply(structuredClone(failed));
  assert.deepEqual(store.attempts, [{ position: 0, number: 1, started_at: 5, finished_at: 8, state: "failed", held_from: null, held_to: 9 }]);
});

test("an attempt that never began is none: its number is given again", () => {
  const store = new ExecutionStore();
  const server = new Server(dice(1), 1);
  Object.assign(server.tasks[0], { state: "dispatched", attempts: 1, held_from: 5 });
  store.apply(server.snapshot());
  store.apply({ type: "delta", seq: 1, now: 9, execution: {}, demands: {}, tasks: { 0: { state: "queued", attempts: 0, held_to: 6 } } });
  assert.deepEqual(store.attempts, []);
});

test("units under a key: teams and types one, resources as asked, alone all", () => {
  const task = { team: "dev", task_type: "api", resources: [["db", 0], ["licence", 2]] };
  assert.equal(unitsUnder(task, "team:dev"), 1);
  assert.equal(unitsUnder(task, "PEXEC-1/team:dev"), 1);
  assert.equal(unitsUnder(task, "team:ops"), null);
  assert.equal(unitsUnder(task, "resource:db"), 0);
  assert.equal(unitsUnder(task, "resource:licence"), 2);
  assert.equal(unitsUnder(task, "PEXEC-1/max_concurrency"), 1);
});

test("the dashboard takes any first number, then asks where one is missing", () => {
  const store = new DashboardStore();
  const delta = (seq, executions = {}, limits = {}) => ({ type: "delta", seq, now: 1, executions, limits });
  assert.equal(store.apply(delta(1)), "gap");
  store.apply({ type: "snapshot", seq: null, now: 0, executions: { 1: { id: "PEXEC-1", state: "running" } }, limits: { workers: [0, 4, 0] }, figures: { completed_today: 2 } });
  assert.equal(store.apply(delta(41, { 1: { state: "completed" } }, { workers: [1, 4, 0] })), "applied");
  assert.equal(store.figures.completed_today, 3);
  assert.deepEqual(store.limits.workers, [1, 4, 0]);
  assert.equal(store.apply(delta(41)), "dropped");
  assert.equal(store.apply(delta(43)), "gap");
  assert.equal(store.executions.get("1").state, "completed");
  assert.equal(store.apply({ ...delta(44), first: 43, first_now: 1 }), "gap");
  assert.equal(store.apply({ ...delta(44), first: 42, first_now: 1 }), "applied");
});
