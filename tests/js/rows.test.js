// A long list keeps its rows: what is touched is what changed, whatever comes into sight.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Rows, differing } from "../../static/js/rows.js";
import { dice } from "./worlds.js";

/** A list of nodes as a document keeps them; counts what is done to it. */
class Body {
  constructor() {
    this.nodes = [];
    this.moves = 0;
  }

  insertBefore(node, before) {
    this.drop(node);
    const at = before === null ? this.nodes.length : this.nodes.indexOf(before);
    assert.notEqual(at, -1);
    this.nodes.splice(at, 0, node);
    node.parentNode = this;
    this.moves += 1;
  }

  drop(node) {
    this.nodes = this.nodes.filter((other) => other !== node);
    node.parentNode = null;
  }
}

class Node {
  constructor() {
    this.parentNode = null;
    this.text = "";
  }

  get nextSibling() {
    return this.parentNode.nodes[this.parentNode.nodes.indexOf(this) + 1] ?? null;
  }

  remove() {
    this.parentNode?.drop(this);
  }
}

function world() {
  const body = new Body();
  const count = { made: 0, written: 0 };
  const make = () => {
    count.made += 1;
    const node = new Node();
    const write = differing((words) => {
      count.written += 1;
      node.text = words;
    });
    return { node, fill: (item) => write(`${item.id} ${item.state}`) };
  };
  return { body, count, rows: new Rows(body, (item) => item.id, make) };
}

const items = (from, to) => Array.from({ length: to - from }, (_, i) => ({ id: from + i, state: "queued" }));
const texts = (body) => body.nodes.map((node) => node.text);

test("an update writes the cells that differ and moves nothing", () => {
  const { body, count, rows } = world();
  const shown = items(0, 30);
  rows.show(shown, 0);
  Object.assign(count, { made: 0, written: 0 });
  body.moves = 0;
  shown[7].state = "running";
  rows.show(shown, 0);
  assert.deepEqual([count, body.moves], [{ made: 0, written: 1 }, 0]);
  assert.equal(texts(body)[7], "7 running");
});

test("a scroll by five touches five rows, in either direction", () => {
  const { body, count, rows } = world();
  rows.show(items(100, 130), 100);
  for (const first of [105, 100]) {
    Object.assign(count, { made: 0, written: 0 });
    body.moves = 0;
    rows.show(items(first, first + 30), first);
    assert.deepEqual([count, body.moves], [{ made: 0, written: 5 }, 5]);
  }
});

test("a jump writes every row and makes, moves and removes none", () => {
  const { body, count, rows } = world();
  rows.show(items(0, 30), 0);
  const nodes = [...body.nodes];
  Object.assign(count, { made: 0, written: 0 });
  body.moves = 0;
  rows.show(items(5000, 5030), 5000);
  assert.deepEqual([count, body.moves], [{ made: 0, written: 30 }, 0]);
  assert.deepEqual(body.nodes, nodes);
});

test("whatever is shown after whatever, the rows are the items, in order, each in its own", () => {
  const random = dice(21);
  const { body, rows } = world();
  for (let round = 0; round < 500; round += 1) {
    const all = items(0, 40).filter(() => random() < 0.7);
    const shown = round % 3 === 0 ? all.sort(() => random() - 0.5) : all;
    const before = new Map(shown.map((item) => [item.id, rows.node(item.id)]));
    rows.show(shown, 0);
    assert.deepEqual(texts(body), shown.map((item) => `${item.id} queued`));
    shown.forEach((item) => assert.ok([null, rows.node(item.id)].includes(before.get(item.id))));
  }
});
