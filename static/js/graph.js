// @ts-check
/** The dependency graph, left to right; above FOLD_ABOVE tasks levels are folded into boxes. */

import { drawn, part, write } from "./dom.js";
import { STATE_ORDER, stateWord } from "./words.js";

const FOLD_ABOVE = 400;
const NODE = { width: 148, height: 30, across: 56, down: 12, edge: 14 };
const NEAR_LIMIT = 60;

/** @typedef {import("./store.js").Task} Task */

/** @param {import("./execution.js").Page} page */
export function setUpGraph(page) {
  const box = part("graph");
  const { store } = page;
  /** @type {number[][] | null} */
  let layers = null;
  let drawnFor = "";

  const load = async () => {
    const answer = await fetch(box.dataset.source ?? "", { credentials: "same-origin" });
    if (!answer.ok) {
      write(part("graph-words"), "The graph could not be loaded.");
      return;
    }
    layers = (await answer.json()).layers;
    show();
  };

  let isLoading = false;
  const show = () => {
    if (!page.isShown("graph") || store.execution === null) {
      return;
    }
    if (layers === null) {
      if (!isLoading) {
        isLoading = true;
        void load();
      }
      return;
    }
    const isFolded = store.tasks.length > FOLD_ABOVE;
    const signature = `${isFolded}/${isFolded ? page.chosen() : ""}`;
    if (drawnFor !== signature) {
      drawnFor = signature;
      const near = isFolded ? neighbourhood(store.tasks, page.chosen()) : null;
      box.replaceChildren(isFolded ? drawFolded(layers, store.tasks, near, page) : drawAll(layers, store.tasks, page));
      write(
        part("graph-words"),
        isFolded
          ? `${store.tasks.length} tasks in ${layers.length} levels, folded. Choose a task (in Tasks) to see its neighbourhood.`
          : `${store.tasks.length} tasks in ${layers.length} levels; arrows lead from a task to those that depend on it.`,
      );
    }
    colour(box, store, page.chosen());
    if (isFolded) {
      colourFolds(box, layers, store.tasks);
    }
  };
  page.onTab(show);
  store.subscribe(show);
}

/**
 * @param {number[][]} layers
 * @param {Task[]} tasks
 * @param {import("./execution.js").Page} page
 */
function drawAll(layers, tasks, page) {
  /** @type {Map<number, {x: number, y: number}>} */
  const places = new Map();
  layers.forEach((layer, column) => {
    layer.forEach((position, row) => {
      places.set(position, {
        x: NODE.edge + column * (NODE.width + NODE.across),
        y: NODE.edge + row * (NODE.height + NODE.down),
      });
    });
  });
  return picture(places, tasks, page);
}

/**
 * @param {Map<number, {x: number, y: number}>} places
 * @param {Task[]} tasks
 * @param {import("./execution.js").Page} page
 * @param {SVGElement[]} [more]
 */
function picture(places, tasks, page, more = []) {
  const edges = [];
  for (const [position, to] of places) {
    for (const need of tasks[position]?.depends_on ?? []) {
      const from = places.get(need);
      if (from !== undefined) {
        edges.push(edge(from, to, need, position));
      }
    }
  }
  const nodes = [...places].map(([position, place]) => node(/** @type {Task} */ (tasks[position]), place, page));
  const spots = [...places.values()];
  const width = Math.max(0, ...spots.map((p) => p.x)) + NODE.width + NODE.edge;
  const height = Math.max(0, ...spots.map((p) => p.y)) + NODE.height + NODE.edge;
  const extra = Math.max(0, ...more.map((box) => Number(box.getAttribute("data-bottom"))));
  const tall = Math.max(height, extra + NODE.edge);
  const wide = Math.max(width, ...more.map((box) => Number(box.getAttribute("data-right")) + NODE.edge));
  return drawn("svg", { width: wide, height: tall, role: "group", "aria-label": "Tasks and what they depend on" }, ...edges, ...more, ...nodes);
}

/**
 * @param {{x: number, y: number}} from
 * @param {{x: number, y: number}} to
 * @param {number} a
 * @param {number} b
 */
function edge(from, to, a, b) {
  const [x1, y1] = [from.x + NODE.width, from.y + NODE.height / 2];
  const [x2, y2] = [to.x, to.y + NODE.height / 2];
  const bend = Math.max(18, (x2 - x1) / 2);
  return drawn("path", {
    class: "edge",
    "data-ends": `${a} ${b}`,
    d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`,
  });
}

/**
 * @param {Task} task
 * @param {{x: number, y: number}} place
 * @param {import("./execution.js").Page} page
 */
function node(task, place, page) {
  const choose = () => page.choose(task.id);
  const label = task.id.length > 16 ? `${task.id.slice(0, 15)}…` : task.id;
  return drawn(
    "g",
    {
      class: "node",
      "data-position": task.position,
      transform: `translate(${place.x} ${place.y})`,
      tabindex: 0,
      role: "button",
      onclick: choose,
      onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && choose(),
    },
    drawn("title", {}, task.title ? `${task.id} ${task.title}` : task.id),
    drawn("rect", { width: NODE.width, height: NODE.height, rx: 5 }),
    drawn("rect", { class: "bar-state", width: 6, height: NODE.height, rx: 2 }),
    drawn("svg", { class: "mark", x: 12, y: NODE.height / 2 - 7, width: 14, height: 14 }, drawn("use")),
    drawn("text", { x: 31, y: NODE.height / 2 + 4 }, label),
  );
}

/**
 * @param {HTMLElement} box
 * @param {import("./store.js").ExecutionStore} store
 * @param {string | null} chosen
 */
function colour(box, store, chosen) {
  const icons = document.documentElement.dataset.icons ?? "";
  const position = chosen === null ? undefined : store.byId.get(chosen)?.position;
  for (const made of box.querySelectorAll(".node[data-position]")) {
    const task = store.tasks[Number(made.getAttribute("data-position"))];
    if (task !== undefined) {
      made.classList.toggle("chosen", task.position === position);
      made.setAttribute("aria-label", `${task.id}, ${stateWord(task.state)}`);
      made.querySelector(".bar-state")?.setAttribute("class", `bar-state fill-${task.state}`);
      made.querySelector(".mark")?.setAttribute("class", `mark state-${task.state}`);
      made.querySelector("use")?.setAttribute("href", `${icons}#${task.state}`);
    }
  }
  for (const line of box.querySelectorAll(".edge")) {
    const ends = (line.getAttribute("data-ends") ?? "").split(" ").map(Number);
    line.classList.toggle("near", position !== undefined && ends.includes(position));
  }
}

/**
 * A task with what it depends on and what depends on it, directly.
 * @param {Task[]} tasks
 * @param {string | null} chosen
 */
export function neighbourhood(tasks, chosen) {
  const task = tasks.find((one) => one.id === chosen);
  if (task === undefined) {
    return null;
  }
  const after = tasks.filter((one) => one.depends_on.includes(task.position)).map((one) => one.position);
  return { before: task.depends_on.slice(0, NEAR_LIMIT), at: task.position, after: after.slice(0, NEAR_LIMIT) };
}

/**
 * @param {number[][]} layers
 * @param {Task[]} tasks
 * @param {ReturnType<typeof neighbourhood>} near
 * @param {import("./execution.js").Page} page
 */
function drawFolded(layers, tasks, near, page) {
  const folds = layers.map((layer, column) => {
    const x = NODE.edge + column * (NODE.width + 20);
    const kinds = drawn("g", { class: "parts", transform: `translate(8 ${NODE.height + 8})` });
    return drawn(
      "g",
      { class: "fold", "data-layer": column, "data-bottom": NODE.edge + 62, "data-right": x + NODE.width, transform: `translate(${x} ${NODE.edge})` },
      drawn("rect", { width: NODE.width, height: 60, rx: 5, stroke: "currentColor", "stroke-opacity": 0.4 }),
      drawn("text", { x: 10, y: 20, fill: "currentColor", "font-size": 12 }, `level ${column + 1}: ${layer.length} tasks`),
      kinds,
    );
  });
  /** @type {Map<number, {x: number, y: number}>} */
  const places = new Map();
  if (near !== null) {
    [near.before, [near.at], near.after].forEach((column, i) => {
      column.forEach((position, row) => {
        places.set(position, { x: NODE.edge + i * (NODE.width + NODE.across), y: NODE.edge + 96 + row * (NODE.height + NODE.down) });
      });
    });
  }
  return picture(places, tasks, page, folds);
}

/**
 * @param {HTMLElement} box
 * @param {number[][]} layers
 * @param {Task[]} tasks
 */
function colourFolds(box, layers, tasks) {
  const room = NODE.width - 16;
  box.querySelectorAll(".fold").forEach((fold, column) => {
    /** @type {Record<string, number>} */
    const counts = {};
    const layer = layers[column] ?? [];
    for (const position of layer) {
      const state = tasks[position]?.state ?? "blocked";
      counts[state] = (counts[state] ?? 0) + 1;
    }
    let x = 0;
    const bars = STATE_ORDER.filter((state) => counts[state]).map((state) => {
      const width = (room * (counts[state] ?? 0)) / layer.length;
      const made = drawn("rect", { class: `fill-${state}`, x, width, height: 12 }, drawn("title", {}, `${counts[state]} ${state}`));
      x += width;
      return made;
    });
    fold.querySelector(".parts")?.replaceChildren(...bars);
  });
}
