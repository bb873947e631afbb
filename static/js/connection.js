// @ts-check
/** Says whether what is on the screen is fresh: the dot in the bar and the banner. */

import { part, write } from "./dom.js";
import { clock } from "./words.js";

/** @type {Record<string, string>} */
const WORDS = {
  live: "Live",
  reconnecting: "Reconnecting",
  offline: "Offline",
  refused: "Not allowed",
};

let timer = 0;

/**
 * @param {import("./live.js").LiveState} state
 * @param {HTMLElement} page  greyed while its data are old
 * @param {() => number} heardAt  seconds, by this machine's clock
 */
export function showConnection(state, page, heardAt) {
  const dot = part("live");
  const banner = part("reconnect");
  dot.dataset.state = state;
  write(dot, WORDS[state] ?? state);
  window.clearInterval(timer);
  page.classList.toggle("stale", state !== "live");
  banner.hidden = state === "live";
  if (state === "refused") {
    write(banner, "You are signed out, or may not see this any more. Reload the page to sign in.");
    return;
  }
  const tell = () => {
    const age = heardAt() > 0 ? clock(Date.now() / 1000 - heardAt()) : "unknown time";
    write(banner, `${WORDS[state]}: what you see is ${age} old.`);
  };
  if (state !== "live") {
    tell();
    timer = window.setInterval(tell, 1000);
  }
}
