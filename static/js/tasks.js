// @ts-check
/** The table of tasks: only the rows in sight exist; filters, sorting and keys work on all. */

import { element, part, stateMark, write } from "./dom.js";
import { isTyping } from "./shell.js";
import { isActive } from "./store.js";
import { why } from "./why.js";
import { STATE_ORDER, band, clock, duration, stateWord } from "./words.js";

const ROW_PX = 36;
const SPARE_ROWS = 12;
const RESERVE_ROWS = 4;
const PRINTED_ROWS = 2000;
const CHIPS = ["team", "task_type", "band"];

/** @typedef {import("./store.js").Task} Task */

/** @param {import("./execution.js").Page} page */
export function setUpTasks(page) {
  const { store, now } = page;
  const view = part("tasks-view");
  const body = part("task-rows");
  const form = /** @type {HTMLFormElement} */ (part("task-filters"));
  const sort = sortOf(page.address.get("sort"));
  /** @type {Task[]} */
  let shown = [];
  let isStale = true;
  /** Of the shown, those whose rows exist: from the first to before the last. */
  let existing = [0, 0];

  const filter = () => {
    shown = sorted(store.tasks.filter(matcher(form)), sort, now());
    write(part("task-count"), `${shown.length} of ${store.tasks.length} tasks`);
    isStale = false;
  };

  const draw = () => {
    if (!page.isShown("tasks") || store.execution === null) {
      return;
    }
    if (isStale) {
      filter();
    }
    const [first, last] = print.matches ? [0, Math.min(shown.length, PRINTED_ROWS)] : inSight(view, shown.length);
    existing = [first, last];
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.task : undefined;
    const rows = shown.slice(first, last).map((task, i) => row(page, task, first + i));
    body.replaceChildren(pad(first * ROW_PX), ...rows, pad((shown.length - last) * ROW_PX));
    part("tasks").setAttribute("aria-rowcount", String(shown.length + 1));
    if (focused !== undefined) {
      rows.find((made) => made.dataset.task === focused)?.focus({ preventScroll: true });
    }
    if (shown.length === 0) {
      body.replaceChildren(element("tr", {}, element("td", { colspan: 7, class: "empty" }, "No task matches.")));
    }
  };

  const refilter = () => {
    isStale = true;
    view.scrollTop = 0;
    page.address.setAll(asked(form, sort));
    draw();
  };
  setUpChips(form, page, refilter);
  print.addEventListener("change", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", refilter);
  setUpSorting(sort, refilter);
  const scrolled = () => {
    const [first, last] = inSight(view, shown.length, RESERVE_ROWS);
    if (isStale || first < (existing[0] ?? 0) || last > (existing[1] ?? 0)) {
      draw();
    }
  };
  view.addEventListener("scroll", scrolled, { passive: true });
  body.addEventListener("click", (event) => {
    const chosen = /** @type {Element} */ (event.target).closest("tr[data-task]");
    if (chosen instanceof HTMLElement && !(/** @type {MouseEvent} */ (event).ctrlKey || event.metaKey)) {
      event.preventDefault();
      page.choose(chosen.dataset.task ?? null);
    }
  });
  setUpKeys(page, body);
  page.onTab(draw);
  store.subscribe(() => {
    isStale = true;
    draw();
  });
  setInterval(() => {
    if (store.tasks.some((task) => isActive(task.state) || task.state === "retrying")) {
      draw();
    }
  }, 1000);
}

const print = matchMedia("print");

/**
 * The rows in sight, and some more on either side.
 * @param {HTMLElement} view
 * @param {number} count
 * @param {number} more
 */
function inSight(view, count, more = SPARE_ROWS) {
  const first = Math.floor(view.scrollTop / ROW_PX) - more;
  const last = first + Math.ceil(view.clientHeight / ROW_PX) + 2 * more;
  return /** @type {const} */ ([Math.max(0, first), Math.min(count, last)]);
}

/**
 * What the address keeps of filters and order.
 * @param {HTMLFormElement} form
 * @param {{by: string, isDown: boolean}} sort
 */
function asked(form, sort) {
  const fields = new FormData(form);
  /** @type {Record<string, string | null>} */
  const kept = {
    q: String(fields.get("q") ?? ""),
    state: String(fields.get("state") ?? ""),
    hide: fields.has("hide") ? "1" : null,
    sort: sort.by === "position" ? null : `${sort.isDown ? "-" : ""}${sort.by}`,
  };
  for (const kind of CHIPS) {
    const pressed = form.querySelector(`[data-kind="${kind}"][aria-pressed=true]`);
    kept[kind] = pressed instanceof HTMLElement ? (pressed.dataset.name ?? null) : null;
  }
  return kept;
}

/**
 * `duration` or, the greatest first, `-duration`.
 * @param {string | null} text
 */
function sortOf(text) {
  const by = (text ?? "").replace(/^-/, "");
  return by in SORT_KEYS ? { by, isDown: (text ?? "").startsWith("-") } : { by: "position", isDown: false };
}

/** @param {number} px */
function pad(px) {
  const cell = element("td");
  cell.style.height = `${px}px`;
  return element("tr", { class: "pad", "aria-hidden": "true" }, cell);
}

/**
 * @param {import("./execution.js").Page} page
 * @param {Task} task
 * @param {number} index
 */
function row({ store, now, chosen }, task, index) {
  const reason = why(store, task, now());
  const made = element(
    "tr",
    {
      class: `row${chosen() === task.id ? " chosen" : ""}`,
      tabindex: 0,
      "data-task": task.id,
      "aria-rowindex": index + 2,
    },
    element("td", { class: "c-state" }, stateMark(task.state)),
    element(
      "td",
      { class: "c-id", title: task.title ? `${task.id} ${task.title}` : task.id },
      element("a", { class: "id", href: `?tab=tasks&task=${encodeURIComponent(task.id)}`, tabindex: -1 }, task.id),
      " ",
      element("span", { class: "soft" }, task.title),
    ),
    element("td", { class: "why", title: reason }, progress(task), reason),
    element("td", { class: "c-lane hide-narrow" }, [task.team, task.task_type].filter(Boolean).join(" / ")),
    element("td", { class: "c-prio num hide-narrow" }, task.priority),
    element("td", { class: "c-try num hide-narrow" }, task.attempts || ""),
    element("td", { class: "c-time num" }, time(task, now())),
  );
  return made;
}

/** @param {Task} task */
function progress(task) {
  if (task.state !== "running" || task.progress === null || task.progress === undefined) {
    return null;
  }
  const inner = element("span");
  inner.style.width = `${task.progress}%`;
  return element("span", { class: "bar", role: "img", "aria-label": `${Math.round(task.progress)} percent` }, inner);
}

/**
 * @param {Task} task
 * @param {number} now
 */
function time(task, now) {
  if (isActive(task.state)) {
    return task.started_at ? clock(now - task.started_at) : "";
  }
  return task.started_at && task.finished_at ? duration(task.finished_at - task.started_at) : "";
}

/**
 * @param {HTMLFormElement} form
 * @returns {(task: Task) => boolean}
 */
function matcher(form) {
  const asked = new FormData(form);
  const words = String(asked.get("q") ?? "").trim().toLowerCase();
  const state = String(asked.get("state") ?? "");
  const isHiding = /** @type {HTMLInputElement} */ (part("hide-completed")).checked;
  const pressed = [...form.querySelectorAll("[aria-pressed=true]")].map(
    (chip) => /** @type {HTMLElement} */ (chip).dataset,
  );
  return (task) =>
    (state === "" || task.state === state) &&
    !(isHiding && task.state === "completed") &&
    pressed.every((chip) => lane(task, chip.kind ?? "") === chip.name) &&
    (words === "" || task.id.toLowerCase().includes(words) || task.title.toLowerCase().includes(words));
}

/**
 * What a task is under one way of grouping.
 * @param {Task} task
 * @param {string} kind
 */
export function lane(task, kind) {
  if (kind === "band") {
    return band(task.priority);
  }
  return kind === "team" ? task.team : task.task_type;
}

/**
 * Chips for teams, types and bands that occur, made once.
 * @param {HTMLFormElement} form
 * @param {import("./execution.js").Page} page
 * @param {() => void} refilter
 */
function setUpChips(form, { store, address }, refilter) {
  const stop = store.subscribe((change) => {
    if (!change.whole) {
      return;
    }
    queueMicrotask(() => stop());
    const chips = [];
    for (const kind of CHIPS) {
      const names = [...new Set(store.tasks.map((task) => lane(task, kind)))].filter(Boolean).sort();
      for (const name of names.length > 1 ? names : []) {
        chips.push(
          element(
            "button",
            { type: "button", class: "chip", "data-kind": kind, "data-name": name, "aria-pressed": String(address.get(kind) === name), onclick: press },
            name,
          ),
        );
      }
    }
    part("task-chips").replaceChildren(...chips);
    refilter();
  });

  /** @param {Event} event */
  function press(event) {
    const chip = /** @type {HTMLElement} */ (event.currentTarget);
    const wasPressed = chip.getAttribute("aria-pressed") === "true";
    for (const other of form.querySelectorAll(`[data-kind="${chip.dataset.kind}"]`)) {
      other.setAttribute("aria-pressed", "false");
    }
    chip.setAttribute("aria-pressed", String(!wasPressed));
    refilter();
  }
}

/** @type {Record<string, (task: Task, now: number) => number | string>} */
const SORT_KEYS = {
  position: (task) => task.position,
  state: (task) => STATE_ORDER.indexOf(task.state),
  id: (task) => task.id,
  why: (task) => task.error || stateWord(task.state),
  team: (task) => `${task.team}/${task.task_type}`,
  priority: (task) => task.priority,
  attempts: (task) => task.attempts,
  duration: (task, now) => (task.started_at ? (task.finished_at ?? now) - task.started_at : -1),
};

/**
 * @param {Task[]} tasks
 * @param {{by: string, isDown: boolean}} sort
 * @param {number} now
 */
function sorted(tasks, sort, now) {
  const key = SORT_KEYS[sort.by];
  if (key === undefined || (sort.by === "position" && !sort.isDown)) {
    return tasks;
  }
  const sign = sort.isDown ? -1 : 1;
  const keyed = tasks.map((task) => /** @type {const} */ ([key(task, now), task]));
  keyed.sort(([a, x], [b, y]) => sign * (a < b ? -1 : a > b ? 1 : 0) || x.position - y.position);
  return keyed.map(([, task]) => task);
}

/**
 * @param {{by: string, isDown: boolean}} sort
 * @param {() => void} refilter
 */
function setUpSorting(sort, refilter) {
  for (const head of document.querySelectorAll("#tasks th[data-sort]")) {
    const by = /** @type {HTMLElement} */ (head).dataset.sort ?? "";
    const words = head.textContent ?? "";
    if (sort.by === by && by !== "position") {
      head.setAttribute("aria-sort", sort.isDown ? "descending" : "ascending");
    }
    const press = () => {
      const isAgain = sort.by === by;
      [sort.by, sort.isDown] = isAgain && sort.isDown ? ["position", false] : [by, isAgain];
      for (const other of document.querySelectorAll("#tasks th[data-sort]")) {
        other.removeAttribute("aria-sort");
      }
      if (sort.by === by) {
        head.setAttribute("aria-sort", sort.isDown ? "descending" : "ascending");
      }
      refilter();
    };
    head.replaceChildren(element("button", { type: "button", onclick: press }, words));
  }
}

/**
 * @param {import("./execution.js").Page} page
 * @param {HTMLElement} body
 */
function setUpKeys(page, body) {
  document.addEventListener("keydown", (event) => {
    if (isTyping(event) || !page.isShown("tasks") || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const at = document.activeElement?.closest("tr[data-task]");
    if (event.key === "j" || event.key === "k") {
      const rows = /** @type {HTMLElement[]} */ ([...body.querySelectorAll("tr[data-task]")]);
      const here = at instanceof HTMLElement ? rows.indexOf(at) : -1;
      rows[Math.max(0, here + (event.key === "j" ? 1 : -1))]?.focus();
    } else if (event.key === "Enter" && at instanceof HTMLElement) {
      page.choose(at.dataset.task ?? null);
    }
  });
}
