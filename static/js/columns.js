// @ts-check
/** How snapshots tell many tasks: by column, what they share said once. Knows no document. */

/** The version of snapshots that these modules read. */
export const VERSION = 2;

const MOMENTS = new Set(["since", "started_at", "finished_at", "not_before", "held_from", "held_to"]);

/**
 * The values of one column of a snapshot, one for each task; null where it tells none.
 * @param {any} frame
 * @param {string} name
 * @returns {any[]}
 */
export function column(frame, name) {
  const values = plain(frame.tasks[name] ?? { same: null }, frame.count);
  if (!MOMENTS.has(name)) {
    return values;
  }
  return values.map((ms) => (ms === null ? null : frame.base + ms / 1000));
}

/**
 * @param {any} packed
 * @param {number} count
 * @returns {any[]}
 */
function plain(packed, count) {
  if (Array.isArray(packed)) {
    return packed;
  }
  if ("same" in packed) {
    return new Array(count).fill(packed.same);
  }
  if ("ms" in packed) {
    return packed.ms.map((/** @type {number[]} */ row) => waits(packed.keys, row));
  }
  return packed.at.map((/** @type {number} */ index) => packed.of[index]);
}

/**
 * @param {string[]} keys
 * @param {number[]} row  index of a key, milliseconds, and so on
 */
function waits(keys, row) {
  /** @type {Record<string, number>} */
  const found = {};
  for (let i = 0; i < row.length; i += 2) {
    found[/** @type {string} */ (keys[/** @type {number} */ (row[i])])] = /** @type {number} */ (row[i + 1]) / 1000;
  }
  return found;
}
