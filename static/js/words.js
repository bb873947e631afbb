// @ts-check
/** Words for states, waits and times; the same everywhere. Pure. */

/** @type {Record<string, string>} */
const WORDS = {
  blocked: "Blocked",
  queued: "Queued",
  dispatched: "Dispatched",
  running: "Running",
  retrying: "Retrying",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  skipped: "Skipped",
  pending: "Pending",
  paused: "Paused",
  cancelling: "Cancelling",
};

/** States in the order people read a bar: done, doing, to do, gone wrong. */
export const STATE_ORDER = [
  "completed",
  "running",
  "dispatched",
  "retrying",
  "queued",
  "blocked",
  "failed",
  "skipped",
  "cancelled",
];

/** @param {string} state */
export function stateWord(state) {
  return WORDS[state] ?? state;
}

/**
 * How an execution ended or stands, in words: never a bare green mark.
 * @param {string} state
 * @param {Record<string, number>} counts
 */
export function executionWord(state, counts) {
  const failed = counts.failed ?? 0;
  if (state === "completed" && failed > 0) {
    return `Completed with ${failed} ${failed === 1 ? "failure" : "failures"}`;
  }
  return stateWord(state);
}

/**
 * The icon of an execution: a completed one with failures does not wear the plain mark.
 * @param {string} state
 * @param {Record<string, number>} counts
 */
export function executionLook(state, counts) {
  return state === "completed" && (counts.failed ?? 0) > 0 ? "partial" : state;
}

/** @type {Record<string, string>} */
const HOLDS = {
  paused: "the execution is paused",
  critical_phase: "the critical phase is not over",
  reserved: "kept for a task passed over too long",
  plan: "the plan holds the slot for a better order",
  backoff: "its next attempt is not due yet",
  workers: "no free worker",
};

/**
 * What a LimitKey or Hold is called: `dev_team`, `staging-db`, `max concurrency`, `no free worker`.
 * @param {string} key
 */
export function keyName(key) {
  const bare = key.includes("/") ? key.slice(key.indexOf("/") + 1) : key;
  if (bare === "max_concurrency") {
    return "max concurrency";
  }
  if (bare === "workers") {
    return "workers";
  }
  const split = bare.indexOf(":");
  const name = split < 0 ? bare.replaceAll("_", " ") : bare.slice(split + 1);
  return key.includes("/") && split >= 0 ? `${name} (this group's own limit)` : name;
}

/**
 * The kind of what is waited for: gives the colour.
 * @param {string} key
 * @returns {"team" | "task_type" | "resource" | "concurrency" | "workers" | "hold"}
 */
export function keyKind(key) {
  const bare = key.includes("/") ? key.slice(key.indexOf("/") + 1) : key;
  if (bare === "max_concurrency") {
    return "concurrency";
  }
  if (bare === "workers") {
    return "workers";
  }
  const kind = bare.split(":", 1)[0];
  return kind === "team" || kind === "task_type" || kind === "resource" ? kind : "hold";
}

/**
 * Why a task waits, as a sentence's end: `dev_team is full`.
 * @param {string} key
 */
export function waitWord(key) {
  const hold = HOLDS[key];
  if (hold !== undefined) {
    return hold;
  }
  return keyKind(key) === "resource" ? `${keyName(key)} is taken` : `${keyName(key)} is full`;
}

/** @type {Record<string, string>} */
const REASONS = {
  error: "error",
  timeout: "timeout",
  worker_lost: "worker lost",
  rejected: "rejected",
};

/** @param {string} reason */
export function reasonWord(reason) {
  return REASONS[reason] ?? reason;
}

/** @param {number} priority */
export function band(priority) {
  if (priority >= 90) {
    return "critical";
  }
  return priority >= 70 ? "high" : "normal";
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}

/**
 * `mm:ss`, `h:mm:ss` from one hour, tenths below ten seconds.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) {
    return "–";
  }
  const value = Math.max(0, seconds);
  if (value < 9.95) {
    return `${value.toFixed(1)} s`;
  }
  const whole = Math.round(value);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
}

/**
 * Running time on a clock face: always `mm:ss`, so that it does not jump.
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
}

/**
 * How long ago, in the largest fitting unit.
 * @param {number} seconds
 */
export function ago(seconds) {
  if (seconds < 5) {
    return "just now";
  }
  for (const [size, word] of /** @type {[number, string][]} */ ([
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
  ])) {
    if (seconds >= size) {
      return `${Math.floor(seconds / size)} ${word} ago`;
    }
  }
  return `${Math.floor(seconds)} s ago`;
}

/**
 * Time of day, local or UTC.
 * @param {number} epochSeconds
 * @param {boolean} isUtc
 */
export function timeOfDay(epochSeconds, isUtc) {
  const at = new Date(epochSeconds * 1000);
  return isUtc
    ? `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`
    : `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/**
 * Date and time, local or UTC.
 * @param {number} epochSeconds
 * @param {boolean} isUtc
 */
export function dateTime(epochSeconds, isUtc) {
  const at = new Date(epochSeconds * 1000);
  const day = isUtc
    ? `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`
    : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${timeOfDay(epochSeconds, isUtc)}`;
}
