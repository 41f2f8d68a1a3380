// What a host's cell says, by what the map is coloured by: a class with a sign (colour and shape), its
// words, and how loud it is. Pure, no DOM.
import { number, share, word } from "./fleet.js";
import { bytes, duration, percent, rate, score } from "./format.js";
import { en } from "./en.js";

const t = en.map;
const HOUR = 3600;
/** As the page tones scores elsewhere: five is raised, ten is far above. */
const OUT_OF_LINE = 10;

/**
 * @typedef {{ sign: string, label: string, loud: number }} Class sign: name of a shape, see mappaint.js
 * @typedef {{ classes: Class[], of: (f: import("./fleet.js").Fleet, i: number, now: number) => number,
 *   value: (f: import("./fleet.js").Fleet, i: number, now: number) => string }} Colouring
 */

/** Steps of a quantity: below each bound its class, beyond the last the last. @param {number} v @param {number[]} bounds */
const step = (v, bounds) => {
  let k = 0;
  while (k < bounds.length && v >= bounds[k]) k++;
  return k;
};
/** @param {string[]} labels @param {string} none @param {string} [sign] of class 0: "not known", or that all is well @returns {Class[]} */
const ramp = (labels, none, sign = "unknown") => [
  { sign, label: none, loud: 0 },
  ...labels.map((label, k) => ({ sign: `level${k + 1 + (5 - labels.length)}`, label, loud: k + 1 })),
];
const MB = 2 ** 20;

/** @type {Record<string, Colouring>} */
export const COLOURINGS = {
  severity: {
    classes: [
      { sign: "ok", label: t.classes.ok, loud: 0 },
      { sign: "awaiting", label: t.classes.awaiting, loud: 1 },
      { sign: "outlier", label: t.classes.outlier, loud: 2 },
      { sign: "silent", label: t.classes.silent, loud: 3 },
      { sign: "faulty", label: t.classes.faulty, loud: 4 },
      { sign: "info", label: t.classes.info, loud: 5 },
      { sign: "warning", label: t.classes.warning, loud: 6 },
      { sign: "critical", label: t.classes.critical, loud: 7 },
    ],
    of(f, i) {
      const severity = f.num.severity[i];
      if (severity >= 0) return 5 + severity;
      if (word(f, "faulty", i) !== null) return 4;
      if (f.num.state[i] === 1) return 3;
      if (f.num.state[i] === 2) return 1;
      return f.num.outlier_score?.[i] >= OUT_OF_LINE ? 2 : 0;
    },
    value(f, i) {
      const z = number(f, "outlier_score", i);
      const outlier = word(f, "outlier", i);
      return z !== null && outlier !== null && z >= 5 ? t.outlier(outlier, score(z)) : "";
    },
  },
  score: {
    classes: ramp(t.scores, t.noRow),
    of: (f, i) => (Number.isNaN(f.num.tag_score?.[i] ?? NaN) ? 0 : 1 + step(f.num.tag_score[i], [2, 5, 10, 30])),
    value(f, i) {
      const held = number(f, "tag_mib", i);
      const z = number(f, "tag_score", i);
      return held === null ? t.noRow : t.tagHeld(bytes(held * MB), z === null ? null : score(z));
    },
  },
  share: {
    classes: ramp(t.shares, t.noLimit),
    of: (f, i) => (Number.isNaN(share(f, i)) ? 0 : 1 + step(share(f, i), [0.1, 0.5, 0.75, 0.9])),
    value: (f, i) => (Number.isNaN(share(f, i)) ? t.noLimit : t.ofLimit(percent(share(f, i)), bytes(f.num.nonpaged_limit_mib[i] * MB))),
  },
  growth: {
    classes: ramp(t.growths, t.noGrowth, "ok"),
    of: (f, i) => (f.num.growth_bytes_per_hour?.[i] > 0 ? 1 + step(f.num.growth_bytes_per_hour[i], [MB, 10 * MB, 100 * MB]) : 0),
    value: (f, i) => (f.num.growth_bytes_per_hour?.[i] > 0 ? rate(f.num.growth_bytes_per_hour[i]) : t.noGrowth),
  },
  left: {
    classes: ramp(t.lefts, t.noEnd, "ok"),
    of(f, i, now) {
      const left = f.num.exhausts_at?.[i] - now / 1000;
      return Number.isNaN(left) ? 0 : 4 - step(left, [24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR]);
    },
    value(f, i, now) {
      const at = number(f, "exhausts_at", i);
      return at === null ? t.noEnd : t.leftFor(duration(Math.max(0, at - now / 1000)));
    },
  },
  band: {
    classes: ramp(t.bands, t.noUptime),
    of: (f, i) => (f.num.band[i] >= 0 && f.num.band[i] < 5 ? 1 + f.num.band[i] : 0),
    value: (f, i) => t.up(duration(number(f, "uptime_seconds", i))),
  },
  silent: {
    classes: [
      { sign: "ok", label: t.classes.reporting, loud: 0 },
      { sign: "silent", label: t.classes.silent, loud: 2 },
      { sign: "awaiting", label: t.classes.awaiting, loud: 1 },
    ],
    of: (f, i) => f.num.state[i],
    value(f, i, now) {
      const age = number(f, "age_seconds", i);
      return age === null || f.asOf === null ? "" : t.seen(duration(Math.max(0, (now - f.asOf) / 1000 + age)));
    },
  },
};

/** Which class each row of the fleet is in. @param {import("./fleet.js").Fleet} f @param {Colouring} colouring @param {number} now */
export function classify(f, colouring, now) {
  const out = new Uint8Array(f.count);
  for (let i = 0; i < f.count; i++) out[i] = colouring.of(f, i, now);
  return out;
}

/** Sizes: a quantity as one of four steps. @type {Record<string, (f: import("./fleet.js").Fleet, i: number) => number>} */
const SIZES = {
  ram: (f, i) => step(f.num.ram_mib[i], [16 * 1024, 64 * 1024, 256 * 1024]),
  nonpaged: (f, i) => step(f.num.nonpaged_mib[i], [512, 2048, 8192]),
  uptime: (f, i) => step(f.num.uptime_seconds[i], [8 * HOUR, 72 * HOUR, 14 * 24 * HOUR]),
};
/** @param {import("./fleet.js").Fleet} f @param {string} by @returns {Uint8Array | null} */
export function sizes(f, by) {
  const of = SIZES[by];
  if (!of) return null;
  const out = new Uint8Array(f.count);
  for (let i = 0; i < f.count; i++) out[i] = of(f, i);
  return out;
}
