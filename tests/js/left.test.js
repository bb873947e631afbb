// What is left of a run: glides, never negative, honest where nobody can tell.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Left } from "../../static/js/left.js";
import { dice } from "./worlds.js";

test("nothing is made up: no estimate before one is told, and none when it is taken back", () => {
  const left = new Left();
  assert.equal(left.words(0), "no estimate yet");
  left.tell(100);
  assert.equal(left.words(0), "about 01:40 left");
  left.tell(null);
  assert.equal(left.words(1), "no estimate yet");
});

test("what is left is never negative, whatever is told", () => {
  const random = dice(8);
  const left = new Left();
  for (let now = 0; now < 2000; now += random() * 3) {
    if (random() < 0.2) left.tell(now + (random() - 0.5) * 500);
    const seconds = left.seconds(now);
    assert.ok(seconds === null || seconds >= 0);
  }
  left.tell(0);
  left.seconds(5000);
  assert.equal(left.words(5001), "about to end");
});

test("a forecast that changes is approached, not jumped to, and reached", () => {
  const left = new Left();
  left.tell(100);
  left.seconds(0);
  left.tell(200);
  const first = left.seconds(1);
  assert.ok(first > 99 && first < 130, String(first));
  let before = first;
  for (let now = 2; now < 40; now += 1) {
    const next = left.seconds(now);
    assert.ok(Math.abs(next - before) < 30);
    before = next;
  }
  assert.ok(Math.abs(before - (200 - 39)) < 1, String(before));
});

test("digits follow what a forecast is worth", () => {
  const told = (seconds) => {
    const left = new Left();
    left.tell(seconds);
    return left.words(0);
  };
  assert.deepEqual([7.4, 123, 1234, 12345].map(told), [
    "about 00:07 left", "about 02:05 left", "about 20:30 left", "about 3:26:00 left",
  ]);
});
