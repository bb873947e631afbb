// @ts-check
/** The report tab: the server's own part, read when it is looked at and again at the end. */

import { part } from "./dom.js";
import { coalesced, refreshed } from "./redraw.js";
import { isOver } from "./store.js";

const READ_MS = 1000;
/** While the run goes on, so many times as long as a reading took passes before the next. */
const RESTS = 20;

/** @param {import("./execution.js").Page} page */
export function setUpReport({ store, isShown, onTab }) {
  const box = part("report");
  let readFor = "";
  let isReading = false;
  let restsUntil = 0;
  const read = async () => {
    const run = store.execution;
    if (!isShown("report") || run === null) {
      return;
    }
    const signature = `${run.state}/${run.counts.completed ?? 0}/${run.counts.failed ?? 0}`;
    if (signature === readFor) {
      return;
    }
    if (isReading || (performance.now() < restsUntil && !isOver(run.state))) {
      soon();
      return;
    }
    readFor = signature;
    isReading = true;
    const began = performance.now();
    const hasCome = await refreshed(box);
    const ended = performance.now();
    isReading = false;
    restsUntil = ended + RESTS * (ended - began);
    if (!hasCome) {
      readFor = "";
      box.textContent = "The report could not be loaded.";
    }
  };
  const soon = coalesced(() => void read(), READ_MS);
  onTab(read);
  store.subscribe(soon);
}
