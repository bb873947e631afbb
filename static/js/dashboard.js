// @ts-check
/** The dashboard: executions, slots and why tasks wait, live. */

import { DashboardStore } from "./dashboard_store.js";
import { LiveConnection } from "./live.js";
import { showConnection } from "./connection.js";
import { drawn, element, part, stateMark, write } from "./dom.js";
import { isOver } from "./store.js";
import { segments } from "./summary.js";
import { ago, clock, duration, executionLook, executionWord, keyName, waitWord } from "./words.js";

const SHOWN = 60;
const store = new DashboardStore((run) => requestAnimationFrame(run));
let ahead = 0;
let heardAt = 0;
const now = () => Date.now() / 1000 + ahead;

const live = new LiveConnection({
  url: part("live").dataset.socket ?? "",
  apply: (frame) => {
    ahead = frame.now - Date.now() / 1000;
    heardAt = Date.now() / 1000;
    return store.apply(frame);
  },
  onState: (state) => showConnection(state, part("main"), () => heardAt),
});

function draw() {
  const body = document.getElementById("executions");
  if (body === null) {
    if (store.executions.size > 0) {
      window.location.reload();
    }
    return;
  }
  const isHiding = /** @type {HTMLInputElement | null} */ (document.getElementById("hide-finished"))?.checked;
  const words = document.querySelector("#filters input[type=search]");
  const wanted = words instanceof HTMLInputElement ? words.value.trim().toLowerCase() : "";
  const rows = [...store.executions.entries()]
    .filter(([, run]) => !(isHiding && isOver(run.state)))
    .filter(([, run]) => `${run.name} ${run.id}`.toLowerCase().includes(wanted))
    .sort(([a, x], [b, y]) => Number(isOver(x.state)) - Number(isOver(y.state)) || Number(b) - Number(a))
    .slice(0, SHOWN);
  const focused = document.activeElement?.closest("tr")?.dataset.key;
  body.replaceChildren(...rows.map(([key, run]) => row(key, run)));
  if (focused !== undefined) {
    const link = body.querySelector(`tr[data-key="${focused}"] a`);
    if (link instanceof HTMLElement) {
      link.focus({ preventScroll: true });
    }
  }
  part("no-executions").hidden = rows.length > 0;
  drawFigures();
  drawSlots();
}

/**
 * @param {string} key
 * @param {import("./dashboard_store.js").Row} run
 */
function row(key, run) {
  const counts = run.counts ?? {};
  const elapsed = run.started_at ? (run.completed_at ?? now()) - run.started_at : null;
  const left = run.forecast_s && elapsed !== null && !isOver(run.state) ? run.forecast_s - elapsed : null;
  return element(
    "tr",
    { "data-key": key },
    element("td", { "data-label": "State" }, stateMark(run.state, executionWord(run.state, counts), executionLook(run.state, counts))),
    element(
      "td",
      { "data-label": "Execution" },
      element("a", { href: `/executions/${run.id}/` }, run.name),
      element("br"),
      element("span", { class: "soft small mono" }, run.id),
    ),
    element(
      "td",
      { "data-label": "Progress" },
      segments(counts),
      element("span", { class: "small soft num" }, `${counts.completed ?? 0}/${run.total}`),
    ),
    element("td", { "data-label": "Elapsed", class: "num" }, elapsed === null ? "–" : isOver(run.state) ? duration(elapsed) : clock(elapsed)),
    element("td", { "data-label": "Left", class: "num" }, left === null ? "–" : clock(Math.max(0, left))),
    element("td", { "data-label": "Owner" }, run.owner || "–"),
    element("td", { "data-label": "Started", class: "nowrap" }, run.started_at ? ago(now() - run.started_at) : "–"),
  );
}

function drawFigures() {
  const runs = [...store.executions.values()].filter((run) => !isOver(run.state));
  const waiting = runs.reduce(
    (sum, { counts = {} }) => sum + (counts.queued ?? 0) + (counts.blocked ?? 0) + (counts.retrying ?? 0),
    0,
  );
  const figures = { ...store.figures, running: runs.filter((r) => r.state !== "pending").length, waiting };
  for (const [name, value] of Object.entries(figures)) {
    write(document.querySelector(`[data-figure="${name}"]`), String(value));
  }
}

function drawSlots() {
  part("slots").replaceChildren(
    ...Object.entries(store.limits).map(([key, [used, maximum, waiting]]) => {
      const isFull = used >= maximum;
      const share = maximum > 0 ? Math.min(100, (100 * used) / maximum) : 0;
      const empty = key === "workers" ? "none here" : "closed";
      const word = maximum === 0 ? empty : isFull ? "full" : "";
      const more = waiting > 0 ? `${word ? " · " : ""}${waiting} waiting` : "";
      return element(
        "div",
        { class: "slot" },
        element("span", { class: "cut", title: key }, keyName(key)),
        drawn(
          "svg",
          { class: "use", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
          drawn("rect", { class: isFull ? "fill-queued" : "fill-running", width: share, height: 10 }),
        ),
        element("b", { class: "num" }, `${used}/${maximum}`),
        element("span", { class: "small soft" }, word + more),
      );
    }),
  );
  const whys = Object.entries(store.limits)
    .filter(([, [, , waiting]]) => waiting > 0)
    .sort((a, b) => b[1][2] - a[1][2])
    .map(([key, [, , waiting]]) => `${waitWord(key)} (${waiting} ${waiting === 1 ? "task" : "tasks"})`);
  write(part("whys"), whys.length > 0 ? `Why waiting now: ${whys.join(" · ")}` : "Nothing waits for a limit now.");
}

store.subscribe(draw);
document.getElementById("filters")?.addEventListener("input", draw);
setInterval(() => store.isFilled && draw(), 1000);
live.open();
