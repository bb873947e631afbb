// @ts-check
/**
 * What is left of a run, as people are told: glides to each new forecast instead of jumping, is
 * never negative, and says so where nobody can tell. Knows no document.
 */

import { clock } from "./words.js";

const GLIDE_S = 4;
const SOON_S = 1;

export class Left {
  constructor() {
    /** @type {number | null} */
    this._aim = null;
    /** What is shown: epoch seconds. @type {number | null} */
    this._end = null;
    this._at = 0;
  }

  /**
   * A new forecast.
   * @param {number | null} endsAt  epoch seconds; null: nobody can tell
   */
  tell(endsAt) {
    this._aim = endsAt;
    if (endsAt === null) {
      this._end = null;
    }
  }

  /**
   * Seconds left, as shown now.
   * @param {number} now
   * @returns {number | null}
   */
  seconds(now) {
    if (this._aim === null) {
      return null;
    }
    if (this._end === null) {
      this._end = this._aim;
    } else {
      const share = 1 - Math.exp(-Math.max(0, now - this._at) / GLIDE_S);
      this._end += (this._aim - this._end) * share;
    }
    this._at = now;
    return Math.max(0, this._end - now);
  }

  /**
   * `about 01:40 left`, or what can be said.
   * @param {number} now
   */
  words(now) {
    const left = this.seconds(now);
    if (left === null) {
      return "no estimate yet";
    }
    return left < SOON_S ? "about to end" : `about ${clock(rounded(left))} left`;
  }
}

/**
 * No more digits than a forecast is worth.
 * @param {number} left  seconds
 */
function rounded(left) {
  const step = left < 60 ? 1 : left < 600 ? 5 : left < 3600 ? 30 : 60;
  return Math.round(left / step) * step;
}
