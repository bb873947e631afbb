// The connection: asks once for what is missing, comes back with growing pauses, stays away if told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveConnection, pauseMs } from "../../static/js/live.js";

function setUp(apply, early = null) {
  const sockets = [];
  const timers = [];
  const states = [];
  const live = new LiveConnection({
    url: "/ws/x/",
    early,
    apply,
    onState: (state) => states.push(state),
    connect: () => {
      const listeners = {};
      const socket = {
        readyState: 1, sent: [],
        addEventListener: (name, run) => { listeners[name] = run; },
        send: (text) => socket.sent.push(JSON.parse(text)),
        close: () => {},
        say: (frame) => listeners.message({ data: JSON.stringify(frame) }),
        drop: (code) => listeners.close({ code }),
      };
      sockets.push(socket);
      return socket;
    },
    later: (run, ms) => timers.push({ run, ms }),
    random: () => 0,
  });
  live.open();
  return { live, sockets, timers, states };
}

test("a gap asks for one snapshot, not for many", () => {
  const { sockets, states } = setUp((frame) => (frame.type === "snapshot" ? "applied" : "gap"));
  sockets[0].say({ type: "snapshot" });
  sockets[0].say({ type: "delta" });
  sockets[0].say({ type: "delta" });
  assert.deepEqual(sockets[0].sent, [{ type: "resync" }]);
  sockets[0].say({ type: "snapshot" });
  sockets[0].say({ type: "delta" });
  assert.equal(sockets[0].sent.length, 2);
  assert.deepEqual(states, ["live", "live"]);
});

test("an unanswered question is asked again", () => {
  const { sockets, timers } = setUp(() => "gap");
  sockets[0].say({ type: "delta" });
  timers[0].run();
  assert.equal(sockets[0].sent.length, 2);
});

test("a lost connection comes back after a growing pause, and a snapshot ends the growing", () => {
  const { sockets, timers, states } = setUp(() => "applied");
  sockets[0].drop(1006);
  timers[0].run();
  sockets[1].drop(1013);
  assert.ok(timers[1].ms > timers[0].ms);
  timers[1].run();
  sockets[2].say({ type: "snapshot" });
  sockets[2].drop(1006);
  assert.equal(timers[2].ms, timers[0].ms);
  assert.deepEqual(states, ["reconnecting", "reconnecting", "live", "reconnecting"]);
});

test("who is refused is not asked again", () => {
  const { sockets, timers, states } = setUp(() => "applied");
  sockets[0].drop(4404);
  assert.deepEqual([timers.length, states], [0, ["refused"]]);
});

test("frames of a socket given up are ignored", () => {
  const seen = [];
  const { sockets, timers } = setUp((frame) => { seen.push(frame); return "applied"; });
  sockets[0].drop(1006);
  timers[0].run();
  sockets[0].say({ type: "snapshot" });
  assert.equal(seen.length, 0);
});

test("pauses grow to a limit and never vanish", () => {
  for (let tries = 0; tries < 40; tries += 1) {
    assert.ok(pauseMs(tries, 0) >= 250 && pauseMs(tries, 0.999) <= 15_000);
  }
});

test("a frame in parts is one frame; parts of a lost connection are forgotten", () => {
  const seen = [];
  const { sockets, timers } = setUp((frame) => { seen.push(frame); return "applied"; });
  const text = JSON.stringify({ type: "snapshot", pad: "\u00e9\"\\" });
  sockets[0].say({ type: "part", last: false, text: text.slice(0, 9) });
  sockets[0].drop(1006);
  timers[0].run();
  for (let at = 0; at < text.length; at += 5) {
    sockets[1].say({ type: "part", last: at + 5 >= text.length, text: text.slice(at, at + 5) });
  }
  assert.deepEqual(seen, [JSON.parse(text)]);
});

test("a socket opened early is taken over with what it has said; the next is a new one", () => {
  const seen = [];
  const listeners = {};
  const socket = { readyState: 1, addEventListener: (name, run) => { listeners[name] = run; }, send: () => {}, close: () => {} };
  const heard = [{ data: JSON.stringify({ type: "snapshot" }) }, { data: JSON.stringify({ type: "delta" }) }];
  const { sockets, timers, states } = setUp((frame) => { seen.push(frame.type); return "applied"; }, { socket, heard });
  assert.deepEqual([seen, states, sockets.length], [["snapshot", "delta"], ["live"], 0]);
  listeners.message({ data: JSON.stringify({ type: "delta" }) });
  listeners.close({ code: 1006 });
  timers[0].run();
  assert.deepEqual([seen.length, states.at(-1), sockets.length], [3, "reconnecting", 1]);
});

test("a socket that was refused before the page was there stays refused", () => {
  const socket = { readyState: 3, addEventListener: () => {}, send: () => {}, close: () => {} };
  const { timers, states } = setUp(() => "applied", { socket, heard: [{ code: 4404 }] });
  assert.deepEqual([timers.length, states], [0, ["refused"]]);
});
