// Log scales for sizes in bytes. Pure.

/** Round steps between lo and hi, powers of two; at most `most` of them. @param {number} lo @param {number} hi @param {number} [most] */
export function powerTicks(lo, hi, most = 7) {
  const a = Math.ceil(Math.log2(Math.max(1, lo)));
  const b = Math.floor(Math.log2(Math.max(1, hi)));
  const steps = [1, 2, 5, 10, 20];
  const step = steps.find((s) => Math.floor(b / s) - Math.ceil(a / s) + 1 <= most) ?? 20;
  const out = [];
  for (let e = Math.ceil(a / step) * step; e <= b; e += step) out.push(2 ** e);
  return out;
}

/**
 * Bins of equal width on a log scale.
 * @param {number[]} values 0 counts as 1
 * @param {number} bins
 */
export function logBins(values, bins) {
  let lo = Infinity;
  let hi = 1;
  for (const v of values) {
    const x = Math.max(1, v);
    if (x < lo) lo = x;
    if (x > hi) hi = x;
  }
  if (!Number.isFinite(lo)) lo = 1;
  if (hi < lo * 4) {
    // Nearly equal values: a span of four keeps the picture honest.
    const mid = Math.sqrt(lo * hi);
    lo = Math.max(1, mid / 2);
    hi = lo * 4;
  }
  const l0 = Math.log2(lo);
  const width = (Math.log2(hi) - l0) / bins;
  const place = (/** @type {number} */ v) => {
    const at = Math.floor((Math.log2(Math.max(1, v)) - l0) / width);
    return Math.min(bins - 1, Math.max(0, at));
  };
  return { lo, hi, place };
}
