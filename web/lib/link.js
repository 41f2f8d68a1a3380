// How the line to the server is: quick, slow (somebody has waited two seconds), or gone (nothing
// answered). Every request tells; the shell listens. Pure but for the one instance at the end: time
// comes from outside.

export const SLOW_MS = 2000;

export class Link {
  /** @param {{ now?: () => number, later?: (fn: () => void, ms: number) => any, cancel?: (timer: any) => void }} [deps] */
  constructor(deps = {}) {
    this.now = deps.now ?? (() => Date.now());
    this.later = deps.later ?? ((fn, ms) => setTimeout(fn, ms));
    this.cancel = deps.cancel ?? ((timer) => clearTimeout(timer));
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    this.waiting = 0;
    /** When something last answered, whatever it said. @type {number | null} */
    this.answeredAt = null;
    this.gone = false;
  }

  get state() {
    return this.gone ? "gone" : this.waiting > 0 ? "slow" : "quick";
  }

  /** @param {() => void} fn */
  listen(fn) {
    this.listeners.add(fn);
    return () => void this.listeners.delete(fn);
  }

  tell() {
    for (const fn of this.listeners) fn();
  }

  /**
   * A request begins; what comes back is to be called when it ends: true, somebody answered; false,
   * nobody did; null, it was given up.
   */
  begin() {
    let slow = false;
    const timer = this.later(() => {
      slow = true;
      this.waiting++;
      this.tell();
    }, SLOW_MS);
    return (/** @type {boolean | null} */ answered) => {
      this.cancel(timer);
      const before = this.state;
      if (slow) this.waiting--;
      slow = false;
      if (answered !== null) this.gone = !answered;
      if (answered) this.answeredAt = this.now();
      if (this.state !== before) this.tell();
    };
  }
}

export const link = new Link();
