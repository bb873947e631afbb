// @ts-check
/** The address keeps everything: tab, filters and the chosen task live in the query. */

/**
 * @typedef {object} Address
 * @property {string[]} tabs
 * @property {(name: string) => string | null} get
 * @property {(name: string, value: string | null) => void} set
 * @property {(values: Record<string, string | null>) => void} setAll
 * @property {() => string} tab
 * @property {(run: () => void) => void} onChange
 */

/**
 * @param {HTMLElement} page
 * @returns {Address}
 */
export function setUpAddress(page) {
  /** @type {HTMLAnchorElement[]} */
  const links = [...page.querySelectorAll("[role=tab]")].filter(
    (link) => link instanceof HTMLAnchorElement,
  );
  const tabs = links.map((link) => link.id.slice("tab-".length));
  /** @type {Set<() => void>} */
  const listeners = new Set();
  const query = () => new URLSearchParams(window.location.search);
  const tab = () => {
    const wanted = query().get("tab") ?? page.dataset.tab ?? "";
    return tabs.includes(wanted) ? wanted : (tabs[0] ?? "");
  };

  const show = () => {
    const now = tab();
    for (const link of links) {
      const isNow = link.id === `tab-${now}`;
      link.setAttribute("aria-selected", String(isNow));
      link.tabIndex = isNow ? 0 : -1;
      const view = document.getElementById(link.getAttribute("aria-controls") ?? "");
      view?.toggleAttribute("hidden", !isNow);
    }
    listeners.forEach((run) => run());
  };

  /** @type {Address["setAll"]} */
  const setAll = (values) => {
    const changed = query();
    for (const [name, value] of Object.entries(values)) {
      if (value === null || value === "") {
        changed.delete(name);
      } else {
        changed.set(name, value);
      }
    }
    if (changed.toString() !== query().toString()) {
      history.replaceState(null, "", `?${changed}`);
      show();
    }
  };

  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (!event.metaKey && !event.ctrlKey && !event.shiftKey) {
        event.preventDefault();
        setAll({ tab: link.id.slice("tab-".length) });
      }
    });
    link.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step !== undefined) {
        const at = (links.indexOf(link) + step + links.length) % links.length;
        links[at]?.focus();
        links[at]?.click();
      }
    });
  }
  window.addEventListener("popstate", show);
  queueMicrotask(show);
  return {
    tabs,
    get: (name) => query().get(name),
    set: (name, value) => setAll({ [name]: value }),
    setAll,
    tab,
    onChange: (run) => void listeners.add(run),
  };
}
