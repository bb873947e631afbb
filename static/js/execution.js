// @ts-check
/** The live results page: joins the store, the connection and the views. */

import { socketUrl, takeEarly } from "./early.js";
import { LiveConnection } from "./live.js";
import { VERSION } from "./columns.js";
import { ExecutionStore } from "./store.js";
import { part } from "./dom.js";
import { isTyping } from "./shell.js";
import { showConnection } from "./connection.js";
import { setUpAddress } from "./address.js";
import { setUpNotify } from "./notify.js";
import { setUpSummary } from "./summary.js";
import { setUpFailures } from "./failures.js";
import { setUpTasks } from "./tasks.js";
import { setUpSide } from "./side.js";
import { setUpTimeline } from "./timeline.js";
import { setUpGraph } from "./graph.js";
import { setUpCharts } from "./charts.js";
import { setUpReport } from "./report.js";

/**
 * What every view is given.
 * @typedef {object} Page
 * @property {ExecutionStore} store
 * @property {LiveConnection} live
 * @property {import("./address.js").Address} address
 * @property {() => number} now  seconds, by the server's clock
 * @property {(id: string | null) => void} choose  open or close a task's side panel
 * @property {(tab: string, id: string) => void} show  a task in one of the tabs
 * @property {() => string | null} chosen
 * @property {(tab: string) => boolean} isShown
 * @property {(run: () => void) => void} onTab
 */

const RENEW_EVERY_MS = 60_000;

const page = part("page");
const store = new ExecutionStore((run) => requestAnimationFrame(run));
let ahead = 0;
let heardAt = 0;

/** @param {any} frame */
function apply(frame) {
  if (frame.type === "snapshot" && frame.version !== VERSION) {
    return renewed();
  }
  ahead = frame.now - Date.now() / 1000;
  heardAt = Date.now() / 1000;
  return store.apply(frame);
}

/**
 * The server was renewed and tells snapshots as this page cannot read them: get its newer modules,
 * though not again and again should they be the same.
 * @returns {"dropped"}
 */
function renewed() {
  const last = Number(sessionStorage.getItem("renewed-at") ?? 0);
  if (Date.now() - last > RENEW_EVERY_MS) {
    sessionStorage.setItem("renewed-at", String(Date.now()));
    window.location.reload();
  }
  return "dropped";
}

const live = new LiveConnection({
  url: socketUrl(),
  early: takeEarly(),
  apply,
  onState: (state) => showConnection(state, page, () => heardAt),
});

const address = setUpAddress(page);

/** @type {Page} */
const shared = {
  store,
  live,
  now: () => Date.now() / 1000 + ahead,
  choose: (id) => address.set("task", id),
  address,
  show: (tab, id) => {
    address.setAll({ task: id, tab });
    part(`view-${tab}`).scrollIntoView({ block: "start" });
  },
  chosen: () => address.get("task"),
  isShown: (tab) => address.tab() === tab,
  onTab: address.onChange,
};

for (const shown of document.querySelectorAll(".script-only")) {
  shown.removeAttribute("hidden");
}
for (const hidden of document.querySelectorAll(".no-script")) {
  hidden.setAttribute("hidden", "");
}

setUpSummary(shared);
setUpNotify(page.dataset.execution ?? "");
setUpFailures(shared);
setUpTasks(shared);
setUpSide(shared, address);
setUpTimeline(shared);
setUpGraph(shared);
setUpCharts(shared);
setUpReport(shared);
live.open();

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const tab = address.tabs[Number(event.key) - 1];
  if (tab !== undefined) {
    address.set("tab", tab);
  } else if (event.key === "Escape") {
    shared.choose(null);
  } else if (event.key === "f") {
    const failed = store.tasks.filter((task) => task.state === "failed");
    const at = failed.findIndex((task) => task.id === shared.chosen());
    const next = failed[(at + 1) % failed.length];
    if (next !== undefined) {
      shared.choose(next.id);
    }
  }
});
