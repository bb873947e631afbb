// @ts-check
/**
 * The rows of a long list that exist: each stays with its item while that is in sight, others are
 * used again, and of each only what differs is written. Reads nothing back from the document.
 */

/**
 * @template T
 * @typedef {object} Row
 * @property {HTMLElement} node
 * @property {(item: T, index: number) => void} fill  writes what differs
 */

/**
 * @template T
 */
export class Rows {
  /**
   * @param {HTMLElement} body
   * @param {(item: T) => unknown} keyOf
   * @param {() => Row<T>} make
   * @param {ChildNode | null} end  what of `body` stays behind the rows
   */
  constructor(body, keyOf, make, end = null) {
    this._body = body;
    this._keyOf = keyOf;
    this._make = make;
    this._end = end;
    /** In their order. @type {Map<unknown, Row<T>>} */
    this._rows = new Map();
  }

  /**
   * Show these items and no others.
   * @param {T[]} items
   * @param {number} first  index of the first of them
   */
  show(items, first) {
    const wanted = new Set(items.map(this._keyOf));
    const kept = this._rows;
    /** @type {Row<T>[]} */
    const free = [];
    for (const [key, row] of kept) {
      if (!wanted.has(key)) {
        free.push(row);
      }
    }
    if (free.length < kept.size) {
      free.forEach((row) => row.node.remove()); // or those kept would move, not these
    }
    free.reverse();
    /** @type {Map<unknown, Row<T>>} */
    const rows = new Map();
    items.forEach((item, i) => {
      const key = this._keyOf(item);
      const row = kept.get(key) ?? free.pop() ?? this._make();
      row.fill(item, first + i);
      rows.set(key, row);
    });
    free.forEach((row) => row.node.remove());
    this._rows = rows;
    this._order();
  }

  _order() {
    let next = this._end;
    for (const { node } of [...this._rows.values()].reverse()) {
      if (node.parentNode !== this._body || node.nextSibling !== next) {
        this._body.insertBefore(node, next);
      }
      next = node;
    }
  }

  /** @param {unknown} key */
  node(key) {
    return this._rows.get(key)?.node ?? null;
  }
}

/**
 * Calls `write` with a value where it is another one than before.
 * @template T
 * @param {(value: T) => void} write
 * @param {NoInfer<T>} [first]  what stands there already
 * @returns {(value: T) => void}
 */
export function differing(write, first) {
  let last = first;
  return (value) => {
    if (value !== last) {
      last = value;
      write(value);
    }
  };
}
