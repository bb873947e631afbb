// @ts-check
/** The report tab: the server's own part, read when it is looked at and again at the end. */

import { part } from "./dom.js";
import { coalesced, refreshed } from "./redraw.js";

const READ_MS = 1000;

/** @param {import("./execution.js").Page} page */
export function setUpReport({ store, isShown, onTab }) {
  const box = part("report");
  let readFor = "";
  const read = async () => {
    const run = store.execution;
    if (!isShown("report") || run === null) {
      return;
    }
    const signature = `${run.state}/${run.counts.completed ?? 0}/${run.counts.failed ?? 0}`;
    if (signature === readFor) {
      return;
    }
    readFor = signature;
    if (!(await refreshed(box))) {
      readFor = "";
      box.textContent = "The report could not be loaded.";
    }
  };
  onTab(read);
  store.subscribe(coalesced(() => void read(), READ_MS));
}
