// Paints the cells of the fleet map: each sign is drawn once per size as a stamp, then stamped as
// plain pixels, so that fifty thousand cells are some milliseconds. Signs differ by shape as well as
// by colour: they can be told apart in grey and at four pixels.

/** The theme's colours by the names of the stylesheet. @param {Element} element */
export function palette(element) {
  const style = getComputedStyle(element);
  const get = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    critical: get("--critical-fill") || get("--critical"), warning: get("--warning-fill"), info: get("--info"), ok: get("--map-ok"),
    outlier: get("--accent"), silent: get("--text-3"), line: get("--control-line"), level: get("--accent"), ground: get("--surface"), mark: get("--surface"),
    cursor: get("--text"), accent: get("--accent"),
  };
}

/** @param {CanvasRenderingContext2D} c @param {number[]} points x, y, ... */
function fill(c, points) {
  c.beginPath();
  for (let i = 0; i < points.length; i += 2) c.lineTo(points[i], points[i + 1]);
  c.fill();
}

/**
 * Draws a sign into the square x, y, s.
 * @param {CanvasRenderingContext2D} c @param {string} sign @param {number} x @param {number} y @param {number} s @param {any} p
 */
export function drawSign(c, sign, x, y, s, p) {
  const thin = Math.max(1, Math.round(s / 9));
  const level = /^level(\d)$/.exec(sign);
  if (level) {
    // Fuller is more: the height says it without the colour.
    const k = Number(level[1]);
    const high = Math.max(1, Math.round((s * k) / 5));
    c.fillStyle = p.ok;
    c.fillRect(x, y, s, s);
    c.globalAlpha = 0.3 + 0.14 * k;
    c.fillStyle = p.level;
    c.fillRect(x, y + s - high, s, high);
    c.globalAlpha = 1;
    return;
  }
  switch (sign) {
    case "critical":
      c.fillStyle = p.critical;
      c.fillRect(x, y, s, s);
      if (s >= 8) {
        c.fillStyle = p.mark;
        const m = x + s / 2, n = y + s / 2, r = s * 0.22;
        fill(c, [m, n - r, m + r, n, m, n + r, m - r, n]);
      }
      return;
    case "warning":
      c.fillStyle = p.ok;
      c.fillRect(x, y, s, s);
      c.fillStyle = p.warning;
      if (s >= 8) fill(c, [x + s / 2, y, x + s, y + s, x, y + s]);
      else for (let k = 0; k < s; k++) c.fillRect(x, y + k, k + 1, 1);
      return;
    case "info":
      c.fillStyle = p.ok;
      c.fillRect(x, y, s, s);
      c.fillStyle = p.info;
      if (s >= 8) {
        c.beginPath();
        c.arc(x + s / 2, y + s / 2, s * 0.3, 0, 7);
        c.fill();
      } else c.fillRect(x + Math.floor(s / 3), y + Math.floor(s / 3), Math.ceil(s / 3), Math.ceil(s / 3));
      return;
    case "outlier":
      c.fillStyle = p.ok;
      c.fillRect(x, y, s, s);
      c.fillStyle = p.outlier;
      c.fillRect(x, y, s, Math.max(1, Math.round(s * 0.35)));
      return;
    case "silent":
      c.strokeStyle = p.silent;
      c.lineWidth = thin;
      c.strokeRect(x + thin / 2, y + thin / 2, s - thin, s - thin);
      c.fillStyle = p.silent;
      for (let k = 0; k < s; k++) c.fillRect(x + Math.min(k, s - thin), y + s - 1 - k, thin, 1);
      return;
    case "faulty":
      c.strokeStyle = p.warning;
      c.lineWidth = thin;
      c.strokeRect(x + thin / 2, y + thin / 2, s - thin, s - thin);
      c.fillStyle = p.warning;
      for (let k = 0; k < s; k++) {
        c.fillRect(x + Math.min(k, s - thin), y + s - 1 - k, thin, 1);
        c.fillRect(x + Math.min(k, s - thin), y + k, thin, 1);
      }
      return;
    case "awaiting":
      c.fillStyle = p.line;
      for (let k = 0; k < s; k += 2) {
        c.fillRect(x + k, y, 1, 1);
        c.fillRect(x + k, y + s - 1, 1, 1);
        c.fillRect(x, y + k, 1, 1);
        c.fillRect(x + s - 1, y + k, 1, 1);
      }
      return;
    case "unknown":
      c.strokeStyle = p.line;
      c.lineWidth = thin;
      c.strokeRect(x + thin / 2, y + thin / 2, s - thin, s - thin);
      return;
    default:
      c.fillStyle = p.ok;
      c.fillRect(x, y, s, s);
  }
}

/** A cell's body: what is left of it beside the gap. @param {number} cell device pixels */
export const bodyOf = (cell) => (cell >= 16 ? cell - 2 : cell >= 4 ? cell - 1 : cell);

/**
 * Stamps for every sign and size step, as rows of pixels.
 * @param {string[]} signs @param {number} cell device pixels @param {number} steps 1 or 4 @param {any} p
 * @returns {Uint32Array[]} sign * steps + step; each cell * cell pixels
 */
export function stamps(signs, cell, steps, p) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = cell;
  const c = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  const body = bodyOf(cell);
  const out = [];
  for (const sign of signs)
    for (let k = 0; k < steps; k++) {
      const s = steps === 1 ? body : Math.max(2, Math.round(body * (0.45 + (0.55 * (k + 1)) / steps)));
      c.clearRect(0, 0, cell, cell);
      const off = Math.floor((body - s) / 2);
      drawSign(c, sign, off, off, s, p);
      out.push(new Uint32Array(c.getImageData(0, 0, cell, cell).data.buffer.slice(0)));
    }
  return out;
}

/**
 * Everything of the layout that lies between top and top + height, into pixels.
 * @param {Uint32Array} pixels @param {number} width device pixels @param {number} height
 * @param {import("./maplayout.js").Layout} l @param {number} scale device pixels per pixel
 * @param {number} top device pixels
 * @param {(place: number, end: number) => number} stampOf stamp for the hosts from place to end
 * @param {Uint32Array[]} all
 */
export function paint(pixels, width, height, l, scale, top, stampOf, all) {
  pixels.fill(0);
  const cell = Math.round(l.cell * scale);
  let painted = 0;
  for (const b of l.blocks) {
    const y0 = Math.round(b.y * scale) - top;
    const x0 = Math.round(b.x * scale);
    const from = Math.max(0, Math.floor(-y0 / cell));
    const to = Math.min(b.rows, Math.ceil((height - y0) / cell));
    for (let row = from; row < to; row++) {
      const y = y0 + row * cell;
      const cut = y < 0 ? -y : 0;
      const lines = Math.min(cell, height - y);
      const units = Math.min(b.units, (row + 1) * b.cols);
      for (let unit = row * b.cols; unit < units; unit++) {
        const x = x0 + (unit - row * b.cols) * cell;
        if (x + cell > width) break;
        const place = b.first + unit * l.per;
        const stamp = all[stampOf(place, Math.min(b.first + b.count, place + l.per))];
        painted++;
        for (let line = cut; line < lines; line++) {
          let at = (y + line) * width + x;
          let from = line * cell;
          for (const end = from + cell; from < end; from++, at++) pixels[at] = stamp[from];
        }
      }
    }
  }
  return painted;
}
