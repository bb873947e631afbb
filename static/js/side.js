// @ts-check
/** The side panel of one task: its page part from the server, its output live. */

import { part, stateMark, write } from "./dom.js";
import { isFinal } from "./store.js";
import { why } from "./why.js";

const OUTPUT_CHARS = 65_536;
const REFRESH_MS = 300;

/**
 * @param {import("./execution.js").Page} page
 * @param {import("./address.js").Address} address
 */
export function setUpSide(page, address) {
  const side = part("side");
  /** @type {string | null} */
  let open = side.hidden ? null : page.chosen();
  let loadNumber = 0;
  let seen = "";

  /** @param {string} id */
  const load = async (id) => {
    loadNumber += 1;
    const mine = loadNumber;
    const base = part("page").dataset.base ?? "";
    const answer = await fetch(`${base}tasks/${encodeURIComponent(id)}/`, { credentials: "same-origin" });
    if (mine !== loadNumber) {
      return;
    }
    if (!answer.ok) {
      write(side, answer.status === 404 ? "There is no such task." : "The task could not be loaded.");
    } else {
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      side.replaceChildren(...made.body.childNodes);
      for (const hidden of side.querySelectorAll(".needs-script")) {
        hidden.removeAttribute("hidden");
      }
      page.live.send({ type: "watch_output", task: id });
    }
  };

  const follow = () => {
    const id = address.get("task");
    if (id === open) {
      return;
    }
    open = id;
    side.hidden = id === null;
    part("with-side").classList.toggle("open", id !== null);
    seen = "";
    if (id !== null) {
      side.focus({ preventScroll: true });  // now: whoever moves on while it loads keeps the focus
      void load(id);
    }
  };

  page.onTab(follow);
  page.live.onLive(() => open !== null && page.live.send({ type: "watch_output", task: open }));
  page.live.onOther((frame) => frame.type === "output" && addOutput(side, frame));
  side.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const other = target.closest("a[data-task]");
    if (target.closest("#side-close") !== null) {
      event.preventDefault();
      page.choose(null);
    } else if (other instanceof HTMLElement) {
      event.preventDefault();
      page.choose(other.dataset.task ?? null);
    }
  });

  page.store.subscribe(() => {
    const task = open === null ? undefined : page.store.byId.get(open);
    if (task === undefined) {
      return;
    }
    side.querySelector("[data-live=state]")?.replaceChildren(stateMark(task.state));
    if (!isFinal(task.state)) {
      write(side.querySelector("[data-live=why]"), why(page.store, task, page.now()));
    }
    const waits = task.state === "queued" ? page.store.waitsFor(task).join() : "";
    const signature = `${task.state}/${task.attempts}/${waits}`;
    if (seen !== "" && signature !== seen) {
      const id = task.id;
      setTimeout(() => open === id && void load(id), REFRESH_MS);
    }
    seen = signature;
  });
}

/** Bytes already shown, by attempt. @type {Map<number, number>} */
const ends = new Map();

/**
 * @param {HTMLElement} side
 * @param {any} frame
 */
function addOutput(side, frame) {
  const box = side.querySelector("[data-output]");
  if (box === null) {
    return;
  }
  const size = frame.size ?? new TextEncoder().encode(frame.text).length;
  const end = ends.get(frame.attempt) ?? 0;
  if (frame.task !== undefined) {
    box.textContent = plain(frame.text);
  } else if (frame.offset >= end) {
    const isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
    box.textContent = ((box.textContent ?? "") + plain(frame.text)).slice(-OUTPUT_CHARS);
    if (isAtEnd) {
      box.scrollTop = box.scrollHeight;
    }
  } else {
    return;
  }
  ends.set(frame.attempt, frame.offset + size);
}

/**
 * Output without what terminals make of it.
 * @param {string} text
 */
export function plain(text) {
  return text
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-_]/g, "")
    .replace(/\r\n/g, "\n")
    .replace(/[^\n]*\r(?=[^\n])/g, "");
}
