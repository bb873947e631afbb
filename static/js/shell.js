// @ts-check
/** What every page has: theme, zone, fresh times, copy buttons, confirmations, keyboard help. */

import { ago, dateTime } from "./words.js";

const THEMES = ["system", "light", "dark"];

/** @returns {boolean} */
export function isUtc() {
  return localStorage.getItem("zone") === "utc";
}

/** Whether a key press belongs to a field the user is typing in. @param {Event} event */
export function isTyping(event) {
  const target = /** @type {HTMLElement | null} */ (event.target);
  return target !== null && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function setUpTheme() {
  const button = document.getElementById("theme");
  if (button === null) {
    return;
  }
  const chosen = () => {
    const kept = localStorage.getItem("theme") ?? "";
    return THEMES.includes(kept) ? kept : "system"; // the admin keeps "auto" for it
  };
  const show = () => {
    const theme = chosen();
    button.textContent = `Theme: ${theme}`;
    if (theme === "system") {
      delete document.documentElement.dataset.theme;
    } else {
      document.documentElement.dataset.theme = theme;
    }
    document.dispatchEvent(new CustomEvent("pexec:look"));
  };
  button.addEventListener("click", () => {
    const now = THEMES.indexOf(chosen());
    localStorage.setItem("theme", THEMES[(now + 1) % THEMES.length] ?? "system");
    show();
  });
  button.hidden = false;
  show();
}

function setUpZone() {
  const button = document.getElementById("zone");
  if (button === null) {
    return;
  }
  const show = () => {
    button.textContent = isUtc() ? "UTC" : "Local time";
    freshenTimes();
    document.dispatchEvent(new CustomEvent("pexec:look"));
  };
  button.addEventListener("click", () => {
    localStorage.setItem("zone", isUtc() ? "local" : "utc");
    show();
  });
  button.hidden = false;
  show();
}

const paper = matchMedia("print");

/** Relative times say how long ago; on hover, and on paper, the moment itself. */
function freshenTimes() {
  const now = Date.now() / 1000;
  for (const time of document.querySelectorAll("time[data-ago], time[data-moment]")) {
    const at = Date.parse(time.getAttribute("datetime") ?? "") / 1000;
    if (Number.isFinite(at)) {
      const moment = dateTime(at, isUtc());
      const text = time.hasAttribute("data-ago") && !paper.matches ? ago(now - at) : moment;
      if (time.textContent !== text) {
        time.textContent = text;
      }
      time.setAttribute("title", `${moment} · ${time.getAttribute("datetime")}`);
    }
  }
}

function setUpCopying() {
  document.addEventListener("click", async (event) => {
    const button = /** @type {HTMLElement} */ (event.target).closest?.("[data-copy]");
    if (!(button instanceof HTMLElement)) {
      return;
    }
    const source = button.dataset.copyFrom;
    const text = source
      ? (document.getElementById(source)?.textContent ?? "")
      : (button.dataset.copy ?? "");
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copying is not allowed here";
    }
    setTimeout(() => {
      button.textContent = before;
    }, 1500);
  });
}

/** Forms with data-confirm ask first; without a script the server's page asks nothing. */
function setUpConfirming() {
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const question = form.dataset.confirm;
    if (question !== undefined && !window.confirm(question)) {
      event.preventDefault();
    }
  });
}

function setUpKeys() {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("keys"));
  document.addEventListener("keydown", (event) => {
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === "?") {
      dialog?.showModal();
    } else if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search instanceof HTMLInputElement) {
        event.preventDefault();
        search.focus();
      }
    } else if (document.getElementById("page") === null) {
      moveInRows(event.key);
    }
  });
}

/**
 * `j` and `k` go from row to row of lists, `f` from failure to failure; Enter follows the link.
 * @param {string} key
 */
function moveInRows(key) {
  const step = { j: 1, k: -1, f: 1 }[key];
  if (step === undefined) {
    return;
  }
  const rows = [...document.querySelectorAll(key === "f" ? "#recent-failures tbody tr" : "main tbody tr")];
  const links = rows.flatMap((row) => row.querySelector("a[href]") ?? []);
  const here = links.findIndex((link) => link.closest("tr") === document.activeElement?.closest("tr"));
  const next = links[Math.min(links.length - 1, Math.max(0, here + step))];
  if (next instanceof HTMLElement) {
    next.focus();
  }
}

for (const hidden of document.querySelectorAll(".needs-script:not(#theme, #zone)")) {
  hidden.removeAttribute("hidden");
}
setUpTheme();
setUpZone();
setUpCopying();
setUpConfirming();
setUpKeys();
freshenTimes();
setInterval(freshenTimes, 5000);
paper.addEventListener("change", freshenTimes);
