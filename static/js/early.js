// @ts-check
/**
 * Opens the page's live socket while the rest of the page is still on its way, and keeps what it
 * says until the page is there to hear it. Loaded `async`, so it waits for nothing.
 */

/** @typedef {{socket: WebSocket, heard: (MessageEvent | CloseEvent)[]}} Early */

const url = socketUrl();
/** @type {Early | null} */
let early = null;
if (url !== "") {
  early = { socket: new WebSocket(url), heard: [] };
  early.socket.addEventListener("message", keep);
  early.socket.addEventListener("close", keep);
}

/** @param {MessageEvent | CloseEvent} event */
function keep(event) {
  early?.heard.push(event);
}

/** Where the page's template says that its live frames come from; empty: nowhere. */
export function socketUrl() {
  return document.querySelector("meta[name=pexec-socket]")?.getAttribute("content") ?? "";
}

/**
 * The socket opened early and what it has said so far; whoever takes it listens from here on.
 * @returns {Early | null}
 */
export function takeEarly() {
  const taken = early;
  taken?.socket.removeEventListener("message", keep);
  taken?.socket.removeEventListener("close", keep);
  early = null;
  return taken;
}
