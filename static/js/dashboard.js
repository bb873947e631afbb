// @ts-check
/** The dashboard: executions, slots and why tasks wait, live. */

import { DashboardStore } from "./dashboard_store.js";
import { socketUrl, takeEarly } from "./early.js";
import { LiveConnection } from "./live.js";
import { showConnection } from "./connection.js";
import { drawn, element, part, stateMark, write } from "./dom.js";
import { coalesced, refreshed } from "./redraw.js";
import { Left } from "./left.js";
import { ended, isOver } from "./store.js";
import { segments } from "./summary.js";
import { ago, clock, duration, executionLook, executionWord, keyName } from "./words.js";

const SHOWN = 60;
const PARTS_MS = 2000;
const store = new DashboardStore((run) => requestAnimationFrame(run));
let ahead = 0;
let heardAt = 0;
const now = () => Date.now() / 1000 + ahead;

const live = new LiveConnection({
  url: socketUrl(),
  early: takeEarly(),
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
  const isAskedFor = matcher();
  const rows = [...store.executions.entries()]
    .filter(([, run]) => isAskedFor(run))
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
  drawParts();
}

/**
 * What the form asks for; pages/dashboard.py has the same for those without a script.
 * @returns {(run: import("./dashboard_store.js").Row) => boolean}
 */
function matcher() {
  const form = document.getElementById("filters");
  const asked = form instanceof HTMLFormElement ? new FormData(form) : new FormData();
  const [state, group, owner, words] = ["state", "group", "owner", "q"].map((name) => String(asked.get(name) ?? ""));
  const wanted = (words ?? "").trim().toLowerCase();
  return (run) =>
    !(asked.has("hide") && isOver(run.state)) &&
    (!state || run.state === state || (state === "open" && !isOver(run.state))) &&
    (!group || String(run.group) === group) &&
    (!owner || run.owner === owner) &&
    `${run.name} ${run.id}`.toLowerCase().includes(wanted);
}

/** The address keeps what was asked for. */
function keepAddress() {
  const form = document.getElementById("filters");
  if (form instanceof HTMLFormElement) {
    const kept = [...new FormData(form)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(/** @type {[string, string][]} */ (kept)).toString();
    history.replaceState(null, "", query ? `?${query}` : window.location.pathname);
  }
}

/** By execution, what is left of it. @type {Map<string, Left>} */
const lefts = new Map();
live.onForecast((ends) => {
  for (const [key, endsAt] of Object.entries(ends)) {
    const known = lefts.get(key) ?? new Left();
    known.tell(endsAt);
    lefts.set(key, known);
  }
});

/**
 * What is left of a run, as reckoned from here.
 * @param {string} key
 * @param {import("./dashboard_store.js").Row} run
 */
function left(key, run) {
  if (!run.started_at || isOver(run.state)) {
    return "–";
  }
  if (run.state === "paused") {
    return "paused";
  }
  return (lefts.get(key) ?? new Left()).words(now()).replace(" left", "");
}

/**
 * Speed-up so far / forecast.
 * @param {import("./dashboard_store.js").Row} run
 * @param {number | null} elapsed
 */
function speedUp(run, elapsed) {
  const soFar = run.work_s && elapsed ? `${(run.work_s / elapsed).toFixed(1)}×` : "–";
  const planned = run.estimate_s && run.forecast_s ? `${(run.estimate_s / run.forecast_s).toFixed(1)}×` : "–";
  return soFar === planned && soFar === "–" ? "–" : `${soFar} / ${planned}`;
}

/**
 * @param {string} key
 * @param {import("./dashboard_store.js").Row} run
 */
function row(key, run) {
  const counts = run.counts ?? {};
  const elapsed = run.started_at ? (run.completed_at ?? now()) - run.started_at : null;
  return element(
    "tr",
    { "data-key": key },
    element("td", {}, stateMark(run.state, executionWord(run.state, counts), executionLook(run.state, counts))),
    element(
      "td",
      { class: "wrap" },
      element("a", { href: `/executions/${run.id}/` }, run.name),
      element("br"),
      element("span", { class: "soft small mono" }, run.id),
    ),
    element(
      "td",
      { class: "c-progress" },
      segments(counts),
      element("span", { class: "small soft num" }, `${ended(counts)}/${run.total}`),
    ),
    element("td", { "data-label": "Elapsed", class: "num" }, elapsed === null ? "–" : isOver(run.state) ? duration(elapsed) : clock(elapsed)),
    element("td", { "data-label": "Left", class: "num nowrap" }, left(key, run)),
    element("td", { "data-label": "Speed-up", class: "num nowrap" }, speedUp(run, elapsed)),
    element("td", { "data-label": "Owner", class: "short" }, run.owner || "–"),
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
      const free = key === "workers" ? `${maximum - used} free` : "";
      const word = maximum === 0 ? empty : isFull ? "full" : free;
      const more = waiting > 0 ? `${word ? " · " : ""}${waiting} waiting` : "";
      return element(
        "div",
        { class: "slot" },
        element("a", { class: "cut quiet", title: key, href: `/limits/#${key}` }, keyName(key)),
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
}

/** What the server says in full: asked for when numbers say that it may have changed. */
const whys = document.getElementById("whys");
const failures = document.getElementById("recent-failures");
const readWhys = coalesced(() => whys !== null && void refreshed(whys), PARTS_MS);
const readFailures = coalesced(() => failures !== null && void refreshed(failures), PARTS_MS);
let waitedFor = "";
let failed = -1;

function drawParts() {
  const waiting = JSON.stringify(Object.entries(store.limits).filter(([, [, , number]]) => number > 0));
  if (waiting !== waitedFor) {
    waitedFor = waiting;
    readWhys();
  }
  const failures = [...store.executions.values()].reduce((sum, run) => sum + (run.counts?.failed ?? 0), 0);
  if (failures !== failed) {
    failed = failures;
    readFailures();
  }
}

store.subscribe(draw);
document.getElementById("filters")?.addEventListener("input", () => {
  keepAddress();
  draw();
});
for (const hidden of document.querySelectorAll(".no-script")) {
  hidden.setAttribute("hidden", "");
}
setInterval(() => store.isFilled && draw(), 1000);
live.open();
