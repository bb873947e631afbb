// @ts-check
/** The sticky head: state, counts, progress, time, verbs, title, favicon, and the end's banner. */

import { drawn, element, part, stateMark, write } from "./dom.js";
import { Left } from "./left.js";
import { notifyEnd } from "./notify.js";
import { ended, isActive, isOver } from "./store.js";
import { STATE_ORDER, clock, duration, executionLook, executionWord, stateWord } from "./words.js";

const ANNOUNCE_EVERY_S = 5;

/** @param {import("./execution.js").Page} page */
export function setUpSummary({ store, live, now }) {
  const announce = announcer();
  const left = new Left();
  live.onForecast((endsAt) => {
    left.tell(Object.values(endsAt)[0] ?? null);
    tick();
  });
  let wasOpen = false;
  const update = () => {
    const run = store.execution;
    if (run === null) {
      return;
    }
    showCounts(run);
    showVerbs(run);
    const word = executionWord(run.state, run.counts);
    const mark = part("state");
    if (mark.textContent?.trim() !== word) {
      mark.replaceChildren(stateMark(run.state, word, executionLook(run.state, run.counts)));
    }
    const error = part("error");
    error.hidden = run.error === "";
    write(error, run.error);
    announce(`${run.name}: ${word}, ${run.counts.failed ?? 0} failed`, now());
    if (isOver(run.state)) {
      showEnd(run, wasOpen);
    } else {
      wasOpen = true;
    }
    showTitle(run, word);
    tick();
  };
  const tick = () => {
    const run = store.execution;
    if (run !== null) {
      showTimes(run, store.tasks, now(), left);
    }
  };
  store.subscribe(update);
  setInterval(tick, 1000);
}

/** @param {import("./store.js").Execution} run */
function showCounts(run) {
  write(part("done"), String(ended(run.counts)));
  const words = STATE_ORDER.filter((state) => run.counts[state]).map(
    (state) => `${stateWord(state).toLowerCase()} ${run.counts[state]}`,
  );
  write(part("counts"), words.join(" · "));
  part("segments").replaceChildren(segments(run.counts));
}

/**
 * The segmented bar.
 * @param {Record<string, number>} counts
 */
export function segments(counts) {
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0) || 1;
  let at = 0;
  const bars = [];
  for (const state of STATE_ORDER) {
    const width = (100 * (counts[state] ?? 0)) / total;
    if (width > 0 && state !== "queued" && state !== "blocked") {
      bars.push(drawn("rect", { class: `fill-${state}`, x: at, y: 0, width, height: 10 }));
    }
    at += width;
  }
  const label = STATE_ORDER.filter((state) => counts[state]).map((s) => `${counts[s]} ${s}`);
  return drawn(
    "svg",
    {
      class: "segments",
      role: "img",
      "aria-label": label.join(", ") || "no tasks",
      viewBox: "0 0 100 10",
      preserveAspectRatio: "none",
    },
    ...bars,
  );
}

/**
 * @param {import("./store.js").Execution} run
 * @param {import("./store.js").Task[]} tasks
 * @param {number} now
 * @param {Left} left
 */
function showTimes(run, tasks, now, left) {
  if (run.started_at === null) {
    return;
  }
  const elapsed = (run.completed_at ?? now) - run.started_at;
  write(part("elapsed"), run.completed_at === null ? clock(elapsed) : duration(elapsed));
  const forecast = run.plan.makespan_s;
  if (run.completed_at !== null) {
    write(part("left"), forecast ? `forecast was ${duration(forecast)}` : "");
  } else {
    write(part("left"), run.state === "paused" ? "no estimate while paused" : left.words(now));
  }
  let work = 0;
  for (const task of tasks) {
    if (task.started_at !== null && task.started_at !== undefined) {
      work += (task.finished_at ?? (isActive(task.state) ? now : task.started_at)) - task.started_at;
    }
  }
  write(part("speedup"), elapsed > 0.5 ? `speed-up ${(work / elapsed).toFixed(1)}×` : "");
}

/**
 * Buttons follow the state and say why they cannot be pressed.
 * @param {import("./store.js").Execution} run
 */
function showVerbs({ state, outcome }) {
  const hasEnded = isOver(state);
  document.getElementById("notify")?.toggleAttribute("disabled", hasEnded);
  /** @type {Record<string, string>} */
  const why = {
    pause: state === "running" ? "" : "Only a running execution can be paused",
    resume: "",
    cancel: hasEnded ? "It is over" : state === "cancelling" ? "Requested; attempts are being stopped" : "",
    "retry-failed": !hasEnded ? "Once it has ended with failures" : outcome === "success" ? "Nothing failed" : "",
  };
  for (const form of document.querySelectorAll("form[data-verb]")) {
    if (!(form instanceof HTMLFormElement)) {
      continue;
    }
    const verb = form.dataset.verb ?? "";
    const button = form.querySelector("button");
    if (button !== null) {
      button.disabled = (why[verb] ?? "") !== "";
      button.title = why[verb] ?? "";
      if (verb === "cancel") {
        write(button, state === "cancelling" ? "Cancel requested" : "Cancel…");
      }
    }
    if (verb === "resume") {
      form.hidden = state !== "paused";
    }
  }
}

/**
 * @param {import("./store.js").Execution} run
 * @param {string} word
 */
function showTitle(run, word) {
  const share = run.total > 0 ? Math.floor((100 * ended(run.counts)) / run.total) : 0;
  const title = isOver(run.state)
    ? `${run.name} – ${word.toLowerCase()}`
    : `(${share} %) ${run.name} – ${word.toLowerCase()}`;
  if (document.title !== title) {
    document.title = title;
    showFavicon(share / 100, executionLook(run.state, run.counts));
  }
}

/**
 * A ring that fills, in the colour of the state.
 * @param {number} share
 * @param {string} look
 */
function showFavicon(share, look) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 32;
  const pen = canvas.getContext("2d");
  const link = document.querySelector("link[rel=icon]");
  if (pen === null || !(link instanceof HTMLLinkElement)) {
    return;
  }
  const colours = getComputedStyle(document.documentElement);
  const probe = element("span", { class: `state-${look}` });
  part("head").append(probe);
  pen.strokeStyle = getComputedStyle(probe).color;
  probe.remove();
  pen.lineWidth = 8;
  pen.globalAlpha = 0.25;
  pen.beginPath();
  pen.arc(16, 16, 11, 0, 2 * Math.PI);
  pen.stroke();
  pen.globalAlpha = colours.opacity === "0" ? 0 : 1;
  pen.beginPath();
  pen.arc(16, 16, 11, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * Math.max(share, 0.02));
  pen.stroke();
  link.type = "image/png";
  link.href = canvas.toDataURL();
}

/**
 * @param {import("./store.js").Execution} run
 * @param {boolean} wasOpen  it ended while the page looked on
 */
function showEnd(run, wasOpen) {
  const banner = part("ended");
  if (!banner.hidden || !wasOpen) {
    return;
  }
  const word = executionWord(run.state, run.counts);
  const look = executionLook(run.state, run.counts);
  const took = (run.completed_at ?? 0) - (run.started_at ?? run.completed_at ?? 0);
  const forecast = run.plan.makespan_s;
  banner.className = `banner ended-${look}`;
  banner.replaceChildren(
    stateMark(run.state, word, look),
    element("span", {}, `in ${duration(took)}${forecast ? `, forecast ${duration(forecast)}` : ""}`),
    element("a", { href: "?tab=report" }, "Report"),
  );
  banner.hidden = false;
  notifyEnd(run.id, `${run.name}: ${word}`);
}

/** Live announcements: only when they differ, and not more often than people can hear. */
function announcer() {
  let said = "";
  let saidAt = -Infinity;
  /** @param {string} text @param {number} now */
  return (text, now) => {
    if (text !== said && now - saidAt >= ANNOUNCE_EVERY_S) {
      if (said !== "") {
        write(document.getElementById("announce"), text);
      }
      [said, saidAt] = [text, now];
    }
  };
}

