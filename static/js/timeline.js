// @ts-check
/** The timeline: a strip with a brush over virtual rows on a canvas. Draws what bars.js computes. */

import { colours, lines, steps } from "./bars.js";
import { element, part, write } from "./dom.js";
import { coalesced } from "./redraw.js";
import { differing } from "./rows.js";
import { isUtc } from "./shell.js";
import { why } from "./why.js";
import { STATE_ORDER, clock, dateTime, duration, keyName, stateWord, timeOfDay } from "./words.js";

const ROW_PX = 22;
const AXIS_PX = 22;
const NAME_PX = 150;
const NARROW_NAME_PX = 84;
const STRIP_PX = 56;
const TABLE_ROWS = 500;
const FRESH_MS = 250;
const KINDS = ["team", "task_type", "resource", "concurrency", "workers", "hold"];
/** @type {Record<string, string>} */
const KIND_WORDS = {
  team: "waits for its team",
  task_type: "waits for its type",
  resource: "waits for a resource",
  concurrency: "waits for max concurrency",
  workers: "waits for a worker",
  hold: "held (phase, plan, pause, backoff)",
};

/** What the colour of a run means, by the state of its attempt. @type {Record<string, string>} */
const RUN_WORDS = {
  dispatched: "taken, not begun",
  running: "running",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled or given back",
};

/** @param {import("./execution.js").Page} page */
export function setUpTimeline(page) {
  const { store } = page;
  const canvas = /** @type {HTMLCanvasElement} */ (part("timeline-canvas"));
  const strip = /** @type {HTMLCanvasElement} */ (part("timeline-strip"));
  const rows = part("timeline-rows");
  const group = /** @type {HTMLSelectElement} */ (part("timeline-group"));
  const follow = /** @type {HTMLInputElement} */ (part("timeline-follow"));
  const sizer = element("div", { "aria-hidden": "true" });
  rows.append(sizer);
  let palette = readPalette();
  /** The part of time in sight; null: all. @type {[number, number] | null} */
  let span = null;
  /** @type {ReturnType<typeof lines>} */
  let shown = [];
  /** How many ran at once, over time. @type {[number, number][]} */
  let levels = [];
  let isStale = true;
  /** The moment of the bars: what is drawn again between two readings is of it, too. */
  let at = page.now();
  const legend = legendOf(part("timeline-legend"));

  /** @returns {[number, number]} */
  const whole = () => {
    const run = store.execution;
    const from = run?.started_at ?? run?.created_at ?? at;
    return [from, Math.max(run?.completed_at ?? at, from + 1)];
  };

  const draw = () => {
    if (!page.isShown("timeline") || store.execution === null) {
      return;
    }
    if (isStale) {
      at = page.now();
      shown = lines(store, group.value, at);
      levels = runningLevels(shown);
      legend(shown);
      isStale = false;
    }
    const [from, to] = whole();
    if (span !== null && follow.checked && store.execution.completed_at === null) {
      span = [to - (span[1] - span[0]), to];
    }
    const height = shown.length * ROW_PX + AXIS_PX;
    drawStrip(strip, levels, [from, to], span, palette);
    const seenHeight = Math.min(height, Math.max(220, Math.round(window.innerHeight * 0.62)));
    drawRows(canvas, rows, shown, span ?? [from, to], at, seenHeight, palette, page);
    sizer.style.height = `${Math.max(0, height - seenHeight)}px`;
    const [left, right] = span ?? [from, to];
    write(
      part("timeline-words"),
      `${timeOfDay(left, isUtc())} to ${timeOfDay(right, isUtc())} (${duration(right - left)})`,
    );
  };

  const look = () => {
    palette = readPalette();
    draw();
  };
  const soon = coalesced(draw);
  const fresh = () => {
    isStale = true;
    draw();
  };
  const later = coalesced(fresh, FRESH_MS); // meanwhile scrolling draws the bars there are
  group.value = page.address.get("by") ?? group.value;
  if (group.selectedIndex < 0) {
    group.selectedIndex = 0;
  }
  group.addEventListener("change", () => {
    page.address.set("by", group.selectedIndex === 0 ? null : group.value);
    fresh();
  });
  follow.addEventListener("change", soon);
  part("timeline-all").addEventListener("click", () => {
    span = null;
    soon();
  });
  rows.addEventListener("scroll", soon, { passive: true });
  window.addEventListener("resize", soon);
  document.addEventListener("pexec:look", look);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
  page.onTab(soon);
  store.subscribe((change) => (change.whole ? fresh() : later()));
  setInterval(() => store.execution?.completed_at === null && later(), 500);
  brush(strip, whole, (chosen) => {
    span = chosen;
    follow.checked = chosen !== null && chosen[1] >= whole()[1] - 0.5;
    soon();
  });
  hovering(page, canvas, rows, () => shown);
  const details = part("timeline-table").closest("details");
  details?.addEventListener("toggle", () => details.open && fillTable(page, shown));
}

function readPalette() {
  const probe = element("span");
  document.body.append(probe);
  /** @param {string} name */
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  /** @type {Record<string, string>} */
  const found = {};
  for (const kind of KINDS) {
    found[kind] = colour(`wait-${kind}`);
  }
  for (const name of ["text", "soft", "line", "panel", "sunk", "accent", "running", "dispatched", "completed", "failed", "cancelled"]) {
    found[name] = colour(name);
  }
  probe.remove();
  return found;
}

/**
 * A pen in CSS pixels on a canvas of the right size.
 * @param {HTMLCanvasElement} canvas
 * @param {number} height
 */
function penOf(canvas, height) {
  const width = canvas.parentElement?.clientWidth ?? 600;
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  pen.textBaseline = "middle";
  return { pen, width };
}

/** @param {number} width */
function nameWidth(width) {
  return width < 560 ? NARROW_NAME_PX : NAME_PX;
}

/**
 * How many tasks of these ran at once, over time.
 * @param {ReturnType<typeof lines>} shown
 */
function runningLevels(shown) {
  const uses = shown.flatMap((line) =>
    "spans" in line
      ? line.spans.filter((s) => s.kind === "run").map((s) => ({ from: s.from, to: s.to, units: 1 }))
      : [],
  );
  return steps(uses);
}

/**
 * @param {HTMLCanvasElement} strip
 * @param {[number, number][]} levels
 * @param {[number, number]} whole
 * @param {[number, number] | null} span
 * @param {Record<string, string>} palette
 */
function drawStrip(strip, levels, whole, span, palette) {
  const { pen, width } = penOf(strip, STRIP_PX);
  const top = levels.reduce((most, [, level]) => Math.max(most, level), 1);
  const x = (/** @type {number} */ at) => ((at - whole[0]) / (whole[1] - whole[0])) * width;
  pen.fillStyle = palette.running ?? "";
  levels.forEach(([at, level], i) => {
    const until = levels[i + 1]?.[0] ?? at;
    const height = (level / top) * (STRIP_PX - 20);
    pen.fillRect(x(at), STRIP_PX - height, Math.max(0.5, x(until) - x(at)), height);
  });
  pen.fillStyle = palette.soft ?? "";
  pen.fillText(`at most ${top} at once`, 6, 9);
  if (span !== null) {
    pen.globalAlpha = 0.18;
    pen.fillStyle = palette.accent ?? "";
    pen.fillRect(x(span[0]), 0, x(span[1]) - x(span[0]), STRIP_PX);
    pen.globalAlpha = 1;
    pen.strokeStyle = palette.accent ?? "";
    pen.strokeRect(x(span[0]) + 0.5, 0.5, x(span[1]) - x(span[0]), STRIP_PX - 1);
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} rows
 * @param {ReturnType<typeof lines>} shown
 * @param {[number, number]} span
 * @param {number} now  the moment of what is shown
 * @param {number} height
 * @param {Record<string, string>} palette
 * @param {import("./execution.js").Page} page
 */
function drawRows(canvas, rows, shown, span, now, height, palette, page) {
  const { pen, width } = penOf(canvas, height);
  const names = nameWidth(width);
  const x = (/** @type {number} */ at) => names + ((at - span[0]) / (span[1] - span[0])) * (width - names - 8);
  drawAxis(pen, span, x, width, height, palette);
  const first = Math.floor(rows.scrollTop / ROW_PX);
  const count = Math.ceil((height - AXIS_PX) / ROW_PX) + 1;
  const chosen = page.chosen();
  pen.save();
  pen.beginPath();
  pen.rect(0, AXIS_PX, width, height - AXIS_PX);
  pen.clip();
  for (let i = first; i < Math.min(shown.length, first + count); i += 1) {
    const line = /** @type {(typeof shown)[number]} */ (shown[i]);
    const y = AXIS_PX + i * ROW_PX - rows.scrollTop;
    if ("heading" in line) {
      pen.fillStyle = palette.sunk ?? "";
      pen.fillRect(0, y, width, ROW_PX);
      pen.fillStyle = palette.text ?? "";
      pen.fillText(line.heading, 6, y + ROW_PX / 2, names - 10);
      continue;
    }
    if (line.task.id === chosen) {
      pen.globalAlpha = 0.16;
      pen.fillStyle = palette.accent ?? "";
      pen.fillRect(0, y, width, ROW_PX);
      pen.globalAlpha = 1;
    }
    pen.fillStyle = palette.text ?? "";
    pen.fillText(fitted(pen, line.task.id, names - 12), 6, y + ROW_PX / 2);
    drawSpans(pen, line.spans, y, x, names, width, palette);
  }
  pen.restore();
  if (page.store.execution?.completed_at === null) {
    pen.fillStyle = palette.failed ?? "";
    pen.fillRect(x(now), 0, 1.5, height);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./bars.js").Span[]} spans
 * @param {number} y
 * @param {(at: number) => number} x
 * @param {number} left
 * @param {number} right
 * @param {Record<string, string>} palette
 */
function drawSpans(pen, spans, y, x, left, right, palette) {
  let runs = 0;
  for (const span of spans) {
    const from = Math.max(left, x(span.from));
    const to = Math.min(right, x(span.to));
    if (to < left || from > right) {
      continue;
    }
    const isRun = span.kind === "run";
    pen.fillStyle = palette[isRun ? span.state : span.kind] ?? palette.running ?? "";
    pen.fillRect(from, y + (isRun ? 3 : 7), Math.max(1.5, to - from), ROW_PX - (isRun ? 6 : 14));
    if (isRun && span.state === "failed") {
      pen.strokeStyle = palette.panel ?? "";
      pen.beginPath();
      pen.moveTo(Math.max(from, to - 9), y + 5);
      pen.lineTo(to - 2, y + ROW_PX - 5);
      pen.moveTo(to - 2, y + 5);
      pen.lineTo(Math.max(from, to - 9), y + ROW_PX - 5);
      pen.stroke();
    }
    runs += isRun ? 1 : 0;
    if (isRun && runs > 1) {
      pen.fillStyle = palette.text ?? "";
      pen.beginPath();
      pen.moveTo(from, y + 1);
      pen.lineTo(from + 6, y + 1);
      pen.lineTo(from, y + 8);
      pen.fill();
    }
  }
}

const TICKS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {[number, number]} span
 * @param {(at: number) => number} x
 * @param {number} width
 * @param {number} height
 * @param {Record<string, string>} palette
 */
function drawAxis(pen, span, x, width, height, palette) {
  const room = x(span[1]) - x(span[0]);
  const step = TICKS_S.find((s) => (s / (span[1] - span[0])) * room >= 70) ?? 86400;
  for (let after = 0; after <= span[1] - span[0]; after += step) {
    const at = x(span[0] + after);
    pen.fillStyle = palette.line ?? "";
    pen.fillRect(at, AXIS_PX - 4, 1, height);
    pen.fillStyle = palette.soft ?? "";
    const words = step < 1 ? `${after.toFixed(1)} s` : clock(after);
    if (at + 3 + pen.measureText(words).width <= width) {
      pen.fillText(words, at + 3, AXIS_PX / 2);
    }
  }
}

/** @type {Map<string, string>} */
const fits = new Map();

/**
 * Text cut to a width; measured once.
 * @param {CanvasRenderingContext2D} pen
 * @param {string} text
 * @param {number} room
 */
function fitted(pen, text, room) {
  const key = `${room}|${text}`;
  let found = fits.get(key);
  if (found === undefined) {
    found = text;
    while (found.length > 1 && pen.measureText(found).width > room) {
      found = `${found.slice(0, -2)}…`;
    }
    fits.set(key, found);
  }
  return found;
}

/**
 * Drag on the strip chooses a part of time; a click shows all again.
 * @param {HTMLCanvasElement} strip
 * @param {() => [number, number]} whole
 * @param {(span: [number, number] | null) => void} chosen
 */
function brush(strip, whole, chosen) {
  /** @type {number | null} */
  let from = null;
  const at = (/** @type {PointerEvent} */ event) => {
    const box = strip.getBoundingClientRect();
    const [left, right] = whole();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return left + share * (right - left);
  };
  strip.addEventListener("pointerdown", (event) => {
    from = at(event);
    strip.setPointerCapture(event.pointerId);
  });
  strip.addEventListener("pointermove", (event) => {
    if (from !== null) {
      const to = at(event);
      const [left, right] = whole();
      if (Math.abs(to - from) > (right - left) / 200) {
        chosen([Math.min(from, to), Math.max(from, to)]);
      }
    }
  });
  strip.addEventListener("pointerup", (event) => {
    const [left, right] = whole();
    if (from !== null && Math.abs(at(event) - from) <= (right - left) / 200) {
      chosen(null);
    }
    from = null;
  });
}

/**
 * @param {import("./execution.js").Page} page
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} rows
 * @param {() => ReturnType<typeof lines>} shown
 */
function hovering(page, canvas, rows, shown) {
  const card = part("timeline-hover");
  const under = (/** @type {MouseEvent} */ event) => {
    const y = event.clientY - canvas.getBoundingClientRect().top - AXIS_PX;
    const line = y < 0 ? undefined : shown()[Math.floor((y + rows.scrollTop) / ROW_PX)];
    return line !== undefined && "task" in line ? line.task : null;
  };
  canvas.addEventListener("mousemove", (event) => {
    const task = under(event);
    card.hidden = task === null;
    canvas.style.cursor = task === null ? "default" : "pointer";
    if (task === null) {
      return;
    }
    const waits = Object.entries(task.waits ?? {}).map(([key, s]) => `${keyName(key)} ${duration(s)}`);
    const ran = task.started_at ? (task.finished_at ?? page.now()) - task.started_at : null;
    card.replaceChildren(
      element("b", {}, task.id),
      task.title ? ` ${task.title}` : "",
      element("br"),
      `${stateWord(task.state)}${ran === null ? "" : ` · ran ${duration(ran)}`}`,
      element("br"),
      why(page.store, task, page.now()),
      waits.length > 0 ? element("p", { class: "soft" }, `waited: ${waits.join(", ")}`) : "",
    );
    card.style.left = `${Math.min(event.clientX + 14, window.innerWidth - card.offsetWidth - 8)}px`;
    card.style.top = `${Math.min(event.clientY + 14, window.innerHeight - card.offsetHeight - 8)}px`;
  });
  canvas.addEventListener("mouseleave", () => {
    card.hidden = true;
  });
  canvas.addEventListener("click", (event) => {
    const task = under(event);
    if (task !== null) {
      card.hidden = true;
      page.choose(task.id);
    }
  });
}

/**
 * What the colours in sight mean, and no others.
 * @param {HTMLElement} box
 */
function legendOf(box) {
  const entries = [
    ...KINDS.map((kind) => ({ name: kind, swatch: `wait-${kind}`, words: KIND_WORDS[kind] ?? kind })),
    ...STATE_ORDER.filter((state) => state in RUN_WORDS).map((state) => ({ name: state, swatch: `swatch-${state}`, words: RUN_WORDS[state] ?? state })),
  ];
  const show = differing((/** @type {string} */ names) => {
    const occurring = new Set(names.split(" "));
    box.replaceChildren(
      ...entries
        .filter(({ name }) => occurring.has(name))
        .map(({ swatch, words }) => element("span", {}, element("span", { class: `swatch ${swatch}` }), ` ${words}`)),
    );
  });
  /** @param {ReturnType<typeof lines>} shown */
  return (shown) => show(colours(shown).join(" "));
}

/**
 * The same for those who do not see a canvas.
 * @param {import("./execution.js").Page} page
 * @param {ReturnType<typeof lines>} shown
 */
function fillTable(page, shown) {
  const bars = shown.flatMap((line) => ("task" in line ? [line] : []));
  const body = bars.slice(0, TABLE_ROWS).map(({ task, spans }) => {
    const waited = spans.filter((s) => s.kind !== "run").reduce((sum, s) => sum + s.to - s.from, 0);
    return element(
      "tr",
      {},
      element("td", {}, task.id),
      element("td", {}, stateWord(task.state)),
      element("td", { class: "num" }, duration(waited)),
      element("td", { class: "num" }, task.started_at ? dateTime(task.started_at, isUtc()) : "–"),
      element("td", { class: "num" }, task.started_at ? duration((task.finished_at ?? page.now()) - task.started_at) : "–"),
      element("td", { class: "num" }, task.attempts),
    );
  });
  const heads = ["Task", "State", "Waited", "Started", "Ran", "Attempts"].map((w) => element("th", {}, w));
  const more = bars.length > TABLE_ROWS ? `The first ${TABLE_ROWS} of ${bars.length} tasks.` : "";
  part("timeline-table").replaceChildren(
    element("table", {}, element("caption", {}, more), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body)),
  );
}
