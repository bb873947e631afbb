// @ts-check
/** The table of tasks: only the rows in sight exist; filters, sorting and keys work on all. */

import { element, part, stateMark, write } from "./dom.js";
import { coalesced } from "./redraw.js";
import { Rows, differing } from "./rows.js";
import { isTyping } from "./shell.js";
import { isActive } from "./store.js";
import { why } from "./why.js";
import { STATE_ORDER, band, clock, duration, stateWord } from "./words.js";

const ROW_PX = 36;
const SPARE_ROWS = 8;
const RESERVE_ROWS = 3;
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
  let chosen = page.chosen();

  const above = pad();
  const below = pad();
  const none = element("tr", { hidden: true }, element("td", { colspan: 7, class: "empty" }, "No task matches."));
  body.replaceChildren(above.node, below.node, none);
  /** @type {Rows<Task>} */
  const rows = new Rows(body, (task) => task.id, () => row(page, () => chosen), below.node);
  const sight = seen(view);
  const showCount = differing((/** @type {number} */ count) => {
    part("tasks").setAttribute("aria-rowcount", String(count + 1));
    none.hidden = count > 0;
  });

  const filter = () => {
    shown = sorted(store.tasks.filter(matcher(form)), sort, now());
    write(part("task-count"), `${shown.length} of ${store.tasks.length} tasks`);
    showCount(shown.length);
    isStale = false;
  };

  const draw = () => {
    if (!page.isShown("tasks") || store.execution === null) {
      return;
    }
    if (isStale) {
      filter();
    }
    const [first, last] = print.matches ? [0, Math.min(shown.length, PRINTED_ROWS)] : sight.rows(shown.length);
    existing = [first, last];
    chosen = page.chosen();
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.task : undefined;
    rows.show(shown.slice(first, last), first);
    above.height(first * ROW_PX);
    below.height((shown.length - last) * ROW_PX);
    if (focused !== undefined) {
      refocus(body, rows.node(focused));
    }
  };

  const refilter = coalesced(() => {
    isStale = true;
    sight.toTop();
    page.address.setAll(asked(form, sort));
    draw();
  });
  setUpChips(form, page, refilter);
  print.addEventListener("change", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", refilter);
  setUpSorting(sort, refilter);
  const scrolled = () => {
    const [first, last] = sight.rows(shown.length, RESERVE_ROWS);
    if (isStale || first < (existing[0] ?? 0) || last > (existing[1] ?? 0)) {
      draw();
    }
  };
  sight.onMove(scrolled);
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
 * Which rows are in sight, known without asking the document for it between two writes.
 * @param {HTMLElement} view
 */
function seen(view) {
  let top = view.scrollTop;
  let height = view.clientHeight;
  return {
    /** @param {() => void} run */
    onMove(run) {
      const scrolled = () => {
        top = view.scrollTop;
        run();
      };
      view.addEventListener("scroll", scrolled, { passive: true });
      new ResizeObserver(() => {
        height = view.clientHeight;
        run();
      }).observe(view);
    },
    toTop() {
      if (top > 0) {
        top = view.scrollTop = 0;
      }
    },
    /**
     * From the first to before the last, with some more on either side.
     * @param {number} count
     * @param {number} more
     */
    rows(count, more = SPARE_ROWS) {
      const fit = Math.ceil(height / ROW_PX);
      const first = Math.min(Math.floor(top / ROW_PX), Math.max(0, count - fit)) - more;
      return /** @type {const} */ ([Math.max(0, first), Math.min(count, first + fit + 2 * more)]);
    },
  };
}

/**
 * The focus stays with its task: not with a row that was moved, nor with one used for another.
 * @param {HTMLElement} body
 * @param {HTMLElement | null} row
 */
function refocus(body, row) {
  const now = document.activeElement;
  if (row !== null && row !== now) {
    row.focus({ preventScroll: true });
  } else if (row === null && now instanceof HTMLElement && body.contains(now)) {
    now.blur();
  }
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

/** Room for the rows that do not exist. */
function pad() {
  const cell = element("td");
  const height = differing((/** @type {number} */ px) => (cell.style.height = `${px}px`));
  return { node: element("tr", { class: "pad", "aria-hidden": "true" }, cell), height };
}

/**
 * @param {import("./execution.js").Page} page
 * @param {() => string | null} chosen
 * @returns {import("./rows.js").Row<Task>}
 */
function row({ store, now }, chosen) {
  const state = element("td", { class: "c-state" });
  const link = element("a", { class: "id", tabindex: -1 });
  const title = element("span", { class: "soft" });
  const id = element("td", { class: "c-id" }, link, " ", title);
  const reason = document.createTextNode("");
  const reasons = element("td", { class: "why" }, reason);
  const lanes = element("td", { class: "c-lane hide-narrow" });
  const priority = element("td", { class: "c-prio num hide-narrow" });
  const tries = element("td", { class: "c-try num hide-narrow" });
  const took = element("td", { class: "c-time num" });
  const node = element("tr", { class: "row", tabindex: 0 }, state, id, reasons, lanes, priority, tries, took);
  const text = (/** @type {Node} */ of) => differing((/** @type {string} */ words) => (of.textContent = words), "");
  const attribute = (/** @type {Element} */ of, /** @type {string} */ name) =>
    differing((/** @type {string} */ value) => of.setAttribute(name, value));
  const told = {
    state: differing((/** @type {string} */ name) => state.replaceChildren(stateMark(name))),
    task: attribute(node, "data-task"),
    index: attribute(node, "aria-rowindex"),
    isChosen: differing((/** @type {boolean} */ is) => node.classList.toggle("chosen", is), false),
    href: attribute(link, "href"),
    id: text(link),
    title: text(title),
    wholeId: attribute(id, "title"),
    progress: progressBar(reasons),
    reason: text(reason),
    wholeReason: attribute(reasons, "title"),
    lanes: text(lanes),
    priority: text(priority),
    tries: text(tries),
    took: text(took),
  };
  const fill = (/** @type {Task} */ task, /** @type {number} */ index) => {
    const words = why(store, task, now());
    told.state(task.state);
    told.task(task.id);
    told.index(String(index + 2));
    told.isChosen(chosen() === task.id);
    told.href(`?tab=tasks&task=${encodeURIComponent(task.id)}`);
    told.id(task.id);
    told.title(task.title);
    told.wholeId(task.title ? `${task.id} ${task.title}` : task.id);
    told.progress(task.state === "running" ? (task.progress ?? null) : null);
    told.reason(words);
    told.wholeReason(words);
    told.lanes([task.team, task.task_type].filter(Boolean).join(" / "));
    told.priority(String(task.priority));
    told.tries(String(task.attempts || ""));
    told.took(time(task, now()));
  };
  return { node, fill };
}

/**
 * How far a task is, before the words of its cell; null: nothing.
 * @param {HTMLElement} cell
 */
function progressBar(cell) {
  const inner = element("span");
  const bar = element("span", { class: "bar", role: "img" }, inner);
  return differing((/** @type {number | null} */ percent) => {
    if (percent === null) {
      return bar.remove();
    }
    inner.style.width = `${percent}%`;
    bar.setAttribute("aria-label", `${Math.round(percent)} percent`);
    return bar.parentNode ?? cell.prepend(bar);
  }, null);
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
