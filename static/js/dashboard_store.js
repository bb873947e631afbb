// @ts-check
/** What the dashboard knows: executions and limits. Knows frames, not sockets or the document. */

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} name
 * @property {string} state
 * @property {string} outcome
 * @property {Record<string, number>} counts
 * @property {number} total
 * @property {number | null} started_at
 * @property {number | null} completed_at
 * @property {string} [owner]
 * @property {number | null} [group]
 * @property {number | null} [forecast_s]
 * @property {number | null} [estimate_s]  run time planned
 * @property {number | null} [work_s]  run time of tasks so far
 */

export class DashboardStore {
  /** @param {(run: () => void) => void} schedule */
  constructor(schedule = (run) => run()) {
    /** @type {number | null} */
    this.seq = null;
    this.isFilled = false;
    this.now = 0;
    /** @type {Map<string, Row>} */
    this.executions = new Map();
    /** @type {Record<string, [number, number, number]>} */
    this.limits = {};
    /** @type {Record<string, number>} */
    this.figures = {};
    /** @type {Set<() => void>} */
    this._listeners = new Set();
    this._schedule = schedule;
    this._isScheduled = false;
  }

  /**
   * Take one frame; the first delta after a snapshot may have any number.
   * @param {any} frame
   * @returns {"applied" | "dropped" | "gap"}
   */
  apply(frame) {
    if (frame.type === "snapshot") {
      this.seq = null;
      this.isFilled = true;
      this.executions = new Map(Object.entries(frame.executions));
      this.limits = { ...frame.limits };
      this.figures = frame.figures;
    } else {
      if (!this.isFilled || (this.seq !== null && (frame.first ?? frame.seq) !== this.seq + 1)) {
        return this.isFilled && frame.seq === this.seq ? "dropped" : "gap";
      }
      this.seq = frame.seq;
      for (const [key, fields] of Object.entries(frame.executions)) {
        const known = this.executions.get(key);
        this._count(known, fields);
        this.executions.set(key, { ...known, ...fields, ...worked(known, frame.now - this.now) });
      }
      for (const [key, known] of this.executions) {
        if (!(key in frame.executions)) {
          this.executions.set(key, { ...known, ...worked(known, frame.now - this.now) });
        }
      }
      Object.assign(this.limits, frame.limits);
    }
    this.now = frame.now;
    this._announce();
    return "applied";
  }

  /**
   * Figures of today follow what ends while the page looks on.
   * @param {Row | undefined} before
   * @param {any} fields
   */
  _count(before, fields) {
    if (fields.state === undefined || before?.state === fields.state) {
      return;
    }
    const figure = { completed: "completed_today", failed: "failed_today" }[
      /** @type {"completed" | "failed"} */ (fields.state)
    ];
    if (figure !== undefined) {
      this.figures = { ...this.figures, [figure]: (this.figures[figure] ?? 0) + 1 };
    }
  }

  _announce() {
    if (this._isScheduled) {
      return;
    }
    this._isScheduled = true;
    this._schedule(() => {
      this._isScheduled = false;
      this._listeners.forEach((listener) => listener());
    });
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this._listeners.add(listener);
    if (this.isFilled) {
      listener();
    }
    return () => this._listeners.delete(listener);
  }
}

/**
 * Run time grows by what ran since the last frame; a snapshot brings the exact figure.
 * @param {Row | undefined} known
 * @param {number} passed_s
 */
function worked(known, passed_s) {
  const running = known?.counts?.running ?? 0;
  return known?.work_s === undefined || known.work_s === null || running === 0
    ? {}
    : { work_s: known.work_s + running * Math.max(0, passed_s) };
}
