// @ts-check
/**
 * The live connection: opens the socket, hands frames over, asks for a snapshot where one is
 * missing, and comes back after a loss with growing pauses. Knows nothing of what frames mean.
 */

/**
 * @typedef {"live" | "reconnecting" | "offline" | "refused"} LiveState
 *
 * @typedef {object} LiveOptions
 * @property {string} url  path of the socket
 * @property {(frame: any) => "applied" | "dropped" | "gap"} apply
 * @property {(state: LiveState) => void} onState
 * @property {import("./early.js").Early | null} [early]  a socket to it that is open already
 * @property {(url: string) => WebSocket} [connect]
 * @property {(run: () => void, ms: number) => any} [later]
 * @property {() => number} [random]
 */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const RESYNC_PATIENCE_MS = 5_000;
const SEEN_EVERY_CHARS = 1_000_000;
const REFUSALS = new Set([4401, 4403, 4404]);

/**
 * The pause before try number `tries`, with jitter so that many pages do not return at once.
 * @param {number} tries
 * @param {number} random  in [0, 1)
 */
export function pauseMs(tries, random) {
  const full = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries);
  return full / 2 + (full / 2) * random;
}

export class LiveConnection {
  /** @param {LiveOptions} options */
  constructor(options) {
    this._options = options;
    this._connect = options.connect ?? ((url) => new WebSocket(url));
    this._later = options.later ?? ((run, ms) => setTimeout(run, ms));
    this._random = options.random ?? Math.random;
    this._tries = 0;
    this._isAwaitingSnapshot = false;
    this._isClosed = false;
    this._unsaid = 0;
    /** Pieces of a frame too long for one message. @type {string[]} */
    this._parts = [];
    /** @type {WebSocket | null} */
    this._socket = null;
    /** @type {Set<(frame: any) => void>} */
    this._others = new Set();
    /** @type {Set<() => void>} */
    this._whenLive = new Set();
  }

  open() {
    const early = this._options.early ?? null;
    this._options.early = null;
    const socket = early?.socket ?? this._connect(this._options.url);
    this._socket = socket;
    this._parts = [];
    socket.addEventListener("message", (event) => this._received(socket, event.data));
    socket.addEventListener("close", (event) => this._lost(socket, event.code));
    for (const event of early?.heard ?? []) {
      if ("data" in event) {
        this._received(socket, event.data);
      } else {
        this._lost(socket, event.code);
      }
    }
  }

  /** Close for good. */
  close() {
    this._isClosed = true;
    this._socket?.close();
  }

  /**
   * Say something to the server; lost if the connection is down.
   * @param {object} message
   */
  send(message) {
    if (this._socket !== null && this._socket.readyState === 1) {
      this._socket.send(JSON.stringify(message));
    }
  }

  /**
   * Hear frames that are not of the store (live output).
   * @param {(frame: any) => void} listener
   */
  onOther(listener) {
    this._others.add(listener);
    return () => this._others.delete(listener);
  }

  /**
   * Be told each time the connection has come (back) to life.
   * @param {() => void} listener
   */
  onLive(listener) {
    this._whenLive.add(listener);
    return () => this._whenLive.delete(listener);
  }

  /**
   * Ask for forecasts and hear them: by key of an open execution, when it will end (epoch seconds).
   * @param {(endsAt: Record<string, number | null>) => void} listener
   */
  onForecast(listener) {
    this.onLive(() => this.send({ type: "watch_forecast" }));
    this.onOther((frame) => frame.type === "forecast" && listener(frame.ends_at));
  }

  /**
   * @param {WebSocket} socket
   * @param {string} text
   */
  _received(socket, text) {
    if (socket !== this._socket) {
      return;
    }
    this._unsaid += text.length;
    if (this._unsaid > SEEN_EVERY_CHARS) {
      this._unsaid = 0;
      this.send({ type: "seen" });
    }
    let frame = JSON.parse(text);
    if (frame.type === "part") {
      this._parts.push(frame.text);
      if (!frame.last) {
        return;
      }
      frame = JSON.parse(this._parts.join(""));
      this._parts = [];
    }
    if (frame.type === "snapshot") {
      this._isAwaitingSnapshot = false;
      this._tries = 0;
      this._options.apply(frame);
      this._options.onState("live");
      this._whenLive.forEach((listener) => listener());
    } else if (frame.type === "delta") {
      if (this._options.apply(frame) === "gap") {
        this._resync();
      }
    } else {
      this._others.forEach((listener) => listener(frame));
    }
  }

  _resync() {
    if (this._isAwaitingSnapshot) {
      return;
    }
    this._isAwaitingSnapshot = true;
    this.send({ type: "resync" });
    this._later(() => {
      if (this._isAwaitingSnapshot) {
        this._isAwaitingSnapshot = false;
        this._resync();
      }
    }, RESYNC_PATIENCE_MS);
  }

  /**
   * @param {WebSocket} socket
   * @param {number} code
   */
  _lost(socket, code) {
    if (socket !== this._socket || this._isClosed) {
      return;
    }
    this._isAwaitingSnapshot = false;
    if (REFUSALS.has(code)) {
      this._options.onState("refused");
      return;
    }
    const isOnline = typeof navigator === "undefined" || navigator.onLine !== false;
    this._options.onState(isOnline ? "reconnecting" : "offline");
    this._later(() => this.open(), pauseMs(this._tries, this._random()));
    this._tries += 1;
  }
}
