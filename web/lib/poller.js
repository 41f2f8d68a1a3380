// Fetches one thing again and again: at its interval while the page is seen, slower and slower while
// it fails, not at all while hidden, at once when seen again after longer than the interval. Pure:
// time, visibility and the request come from outside.

export const BACKOFF_MAX_MS = 300000;

/**
 * @template T
 * @typedef {object} PollerDeps
 * @property {(signal: AbortSignal) => Promise<T>} load
 * @property {(data: T) => void} onData
 * @property {(error: any) => void} onError
 * @property {() => void} [onStart]
 * @property {number} interval  ms; 0: once
 * @property {() => boolean} [hidden]
 * @property {() => number} [now]
 * @property {(fn: () => void, ms: number) => any} [later]
 * @property {(timer: any) => void} [cancel]
 * @property {() => number} [random]  0..1
 */

/** @template T */
export class Poller {
  /** @param {PollerDeps<T>} deps */
  constructor(deps) {
    this.deps = deps;
    this.failures = 0;
    this.last = -Infinity;
    /** @type {any} */
    this.timer = null;
    /** @type {AbortController | null} */
    this.gate = null;
    this.stopped = false;
  }

  now() {
    return this.deps.now ? this.deps.now() : Date.now();
  }

  hidden() {
    return this.deps.hidden ? this.deps.hidden() : false;
  }

  /** Asks now, whatever the timer says; an earlier request is given up. */
  async run() {
    if (this.stopped) return;
    this.clear();
    this.gate?.abort();
    const gate = new AbortController();
    this.gate = gate;
    this.deps.onStart?.();
    try {
      const data = await this.deps.load(gate.signal);
      if (this.stopped || gate.signal.aborted) return;
      this.failures = 0;
      this.last = this.now();
      this.gate = null;
      this.deps.onData(data);
    } catch (error) {
      if (this.stopped || gate.signal.aborted) return;
      this.failures++;
      this.gate = null;
      this.deps.onError(error);
    }
    this.plan();
  }

  /** The wait before the next request; full jitter once failing, so that pages do not return in step. */
  wait() {
    if (this.failures === 0) return this.deps.interval;
    const top = Math.min(BACKOFF_MAX_MS, this.deps.interval * 2 ** this.failures);
    const random = this.deps.random ? this.deps.random() : Math.random();
    return this.deps.interval + (top - this.deps.interval) * random;
  }

  plan() {
    this.clear();
    if (this.stopped || this.deps.interval <= 0 || this.hidden()) return;
    const later = this.deps.later ?? setTimeout;
    this.timer = later(() => void this.run(), this.wait());
  }

  /** To be called when the page was hidden or shown. */
  visibility() {
    if (this.stopped || this.deps.interval <= 0) return;
    if (this.hidden()) this.clear();
    else if (this.gate === null) {
      if (this.now() - this.last >= this.deps.interval) void this.run();
      else this.plan();
    }
  }

  clear() {
    const cancel = this.deps.cancel ?? clearTimeout;
    if (this.timer !== null) cancel(this.timer);
    this.timer = null;
  }

  stop() {
    this.stopped = true;
    this.clear();
    this.gate?.abort();
  }
}
