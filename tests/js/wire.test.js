// Connection and store together: whatever is lost, doubled, turned round or cut off on the way,
// the page ends in the server's state.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveConnection } from "../../static/js/live.js";
import { ExecutionStore } from "../../static/js/store.js";
import { Server, dice } from "./worlds.js";

const PART_CHARS = 200;
const END_SHARE = 0.02;

/** A frame as messages, as the server sends them. */
function messages(frame) {
  const text = JSON.stringify(frame);
  if (text.length <= PART_CHARS) {
    return [text];
  }
  const parts = [];
  for (let at = 0; at < text.length; at += PART_CHARS) {
    parts.push(JSON.stringify({ type: "part", last: at + PART_CHARS >= text.length, text: text.slice(at, at + PART_CHARS) }));
  }
  return parts;
}

/** A server, a wire and a page; `step` lets one thing happen. */
class World {
  constructor(seed) {
    this.random = dice(seed);
    this.server = new Server(this.random, 1 + Math.floor(this.random() * 12));
    this.store = new ExecutionStore();
    this.timers = [];
    this.asked = 0;
    this.live = new LiveConnection({
      url: "/", random: () => 0,
      apply: (frame) => this.store.apply(frame),
      onState: () => {},
      connect: () => this.connected(),
      later: (run) => this.timers.push(run),
    });
    this.old = this.server.snapshot();
    this.live.open();
  }

  connected() {
    const listeners = {};
    this.wire = [];
    this.listeners = listeners;
    // a snapshot may have been read long before it arrives
    this.told(this.random() < 0.3 ? this.old : this.server.snapshot());
    return {
      readyState: 1,
      addEventListener: (name, run) => { listeners[name] = run; },
      send: () => { this.asked += 1; this.told(this.server.snapshot()); },
      close: () => {},
    };
  }

  told(frame) {
    this.wire.push(messages(frame));
  }

  arrive() {
    for (const data of this.wire.shift() ?? []) {
      this.listeners.message({ data });
    }
  }

  cut() {
    const half = this.wire.shift() ?? [];
    for (const data of half.slice(0, half.length / 2)) {
      this.listeners.message({ data }); // cut off within a frame
    }
    this.listeners.close({ code: 1006 });
    this.wire = [];
    this.fire();
  }

  fire() {
    this.timers.splice(0).forEach((run) => run());
  }

  step() {
    const { random, server } = this;
    const happens = random();
    if (happens < 0.5) {
      this.old = random() < 0.2 ? server.snapshot() : this.old;
      const frame = server.execution.completed_at === null && random() < END_SHARE ? server.end() : server.change();
      if (random() > 0.2) this.told(frame);
      if (random() < 0.2) this.told(structuredClone(frame));
    } else if (happens < 0.55) {
      this.wire.sort(() => random() - 0.5);
    } else if (happens < 0.58) {
      this.cut();
    } else {
      this.arrive();
    }
  }

  settle() {
    this.told(this.server.end()); // the last frame is not lost: the next one would tell of it
    for (let i = 0; i < 50 && (this.wire.length > 0 || this.timers.length > 0); i += 1) {
      this.arrive();
      if (this.wire.length === 0) this.fire();
    }
  }
}

test("a page ends in the server's state whatever the wire does", () => {
  let asked = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    const world = new World(seed);
    for (let i = 0; i < 120; i += 1) world.step();
    world.settle();
    const { store, server } = world;
    assert.equal(store.seq, server.seq, `seed ${seed}`);
    assert.deepEqual(store.tasks.map((t) => [t.id, t.state, t.since, t.waits]), server.tasks.map((t) => [t.id, t.state, t.since, t.waits]), `seed ${seed}`);
    assert.deepEqual([store.execution.state, store.execution.counts], ["completed", server.counts()]);
    assert.deepEqual(store.counts(), server.counts());
    asked += world.asked;
  }
  assert.ok(asked > 300, "wires too good to test anything");
});

test("a page never goes back in time, whichever snapshot arrives", () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const world = new World(seed);
    let seq = -1;
    for (let i = 0; i < 120; i += 1) {
      world.step();
      assert.ok((world.store.seq ?? -1) >= seq, `seed ${seed}, step ${i}`);
      seq = world.store.seq ?? -1;
    }
  }
});
