// @ts-check
/** The report tab: the server's own part, read when it is looked at and again at the end. */

import { part } from "./dom.js";

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
    const answer = await fetch(box.dataset.source ?? "", { credentials: "same-origin" });
    if (answer.ok) {
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      box.replaceChildren(...made.body.childNodes);
    } else {
      box.textContent = "The report could not be loaded.";
    }
  };
  onTab(read);
  let isWaiting = false;
  store.subscribe(() => {
    if (!isWaiting) {
      isWaiting = true;
      setTimeout(() => {
        isWaiting = false;
        void read();
      }, 1000);
    }
  });
}
