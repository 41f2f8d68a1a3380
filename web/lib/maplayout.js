// Where the cells of the fleet map stand: groups as blocks on shelves, cells as big as they can be with
// every host in sight; when even the smallest do not fit, a cell stands for several hosts of its group,
// never for none. Pure.

export const CELLS = [28, 24, 20, 16, 14, 12, 10, 9, 8, 7, 6, 5, 4];
export const HEADER = 18;
const GAP_X = 14;
const GAP_Y = 7;
const LABEL = 120; // room for a group's name and count

/**
 * @typedef {{ first: number, count: number, units: number, x: number, y: number, cols: number, rows: number, w: number }} Block
 *   first: place of its first host in the ordered rows; x, y: of its first cell
 * @typedef {{ blocks: Block[], cell: number, per: number, width: number, height: number }} Layout
 *   per: hosts a cell stands for
 */

/** @param {number[]} counts @param {number} width @param {number} cell @param {number} per @returns {Layout} */
export function pack(counts, width, cell, per) {
  const most = Math.max(1, Math.floor(width / cell));
  const least = Math.min(most, Math.ceil(LABEL / cell));
  const together = Math.max(1, Math.floor((width + GAP_X) / (least * cell + GAP_X)));
  const units = counts.map((count) => Math.ceil(count / per));
  const want = Math.max(3, units.reduce((a, b) => a + b, 0) / most / 5); // rows of a shelf: some five in all
  /** @type {Block[]} */
  const blocks = [];
  let y = 0, first = 0;
  for (let from = 0; from < counts.length; ) {
    // Groups join a shelf until it is high enough; on it all have one height and fill the width.
    let to = from, sum = 0;
    while (to < counts.length && to - from < together && (to === from || sum / most < want)) sum += units[to++];
    const biggest = Math.max(...units.slice(from, to));
    let rows = Math.max(1, Math.ceil(sum / most), Math.min(Math.ceil(want), Math.ceil(Math.sqrt(biggest / 2.4))));
    const colsOf = (/** @type {number} */ n) => Math.min(most, Math.max(least, Math.ceil(n / rows)));
    const needed = () => units.slice(from, to).reduce((w, n) => w + colsOf(n) * cell + GAP_X, -GAP_X);
    while (to - from > 1 && needed() > width) rows++;
    let x = 0;
    for (let k = from; k < to; k++) {
      const cols = to - from === 1 ? Math.max(Math.min(most, Math.ceil(units[k] / rows)), 1) : colsOf(units[k]);
      const own = Math.max(1, Math.ceil(units[k] / cols));
      blocks.push({ first, count: counts[k], units: units[k], x, y: y + HEADER, cols, rows: own, w: cols * cell });
      first += counts[k];
      x += cols * cell + GAP_X;
    }
    y += HEADER + rows * cell + GAP_Y;
    from = to;
  }
  return { blocks, cell, per, width, height: Math.max(0, y - GAP_Y) };
}

/**
 * @param {number[]} counts hosts of each group, all above 0
 * @param {number} width @param {number} height @param {number} [cell] 0: as fits
 */
export function layout(counts, width, height, cell = 0) {
  if (cell > 0) return pack(counts, width, cell, 1);
  for (const size of CELLS) {
    const fit = pack(counts, width, size, 1);
    if (fit.height <= height) return fit;
  }
  const smallest = CELLS[CELLS.length - 1];
  const biggest = Math.max(1, ...counts);
  for (let per = 2; ; per++) {
    const fit = pack(counts, width, smallest, per);
    if (fit.height <= height || per >= biggest) return fit;
  }
}

/** Cells in all. @param {Layout} l */
export function unitCount(l) {
  return l.blocks.reduce((n, b) => n + b.units, 0);
}

/**
 * The cell at a point, as its block and its place in it; null where none is.
 * @param {Layout} l @param {number} x @param {number} y @returns {{ block: number, unit: number } | null}
 */
export function cellAt(l, x, y) {
  for (let k = 0; k < l.blocks.length; k++) {
    const b = l.blocks[k];
    if (y < b.y || x < b.x || x >= b.x + b.w || y >= b.y + b.rows * l.cell) continue;
    const unit = Math.floor((y - b.y) / l.cell) * b.cols + Math.floor((x - b.x) / l.cell);
    return unit < b.units ? { block: k, unit } : null;
  }
  return null;
}

/** @param {Layout} l @param {{ block: number, unit: number }} at */
export function cellBox(l, at) {
  const b = l.blocks[at.block];
  return { x: b.x + (at.unit % b.cols) * l.cell, y: b.y + Math.floor(at.unit / b.cols) * l.cell, size: l.cell };
}

/** Places in the ordered rows that a cell stands for: [from, to). @param {Layout} l @param {{ block: number, unit: number }} at */
export function cellRows(l, at) {
  const b = l.blocks[at.block];
  return [b.first + at.unit * l.per, Math.min(b.first + b.count, b.first + (at.unit + 1) * l.per)];
}

/** The cell of a place in the ordered rows. @param {Layout} l @param {number} place */
export function cellOf(l, place) {
  const block = l.blocks.findIndex((b) => place >= b.first && place < b.first + b.count);
  return block < 0 ? null : { block, unit: Math.floor((place - l.blocks[block].first) / l.per) };
}

/**
 * Where a key leads from a cell; null: nowhere.
 * @param {Layout} l @param {{ block: number, unit: number }} at @param {string} key
 */
export function move(l, at, key) {
  const b = l.blocks[at.block];
  const last = l.blocks.length - 1;
  const col = at.unit % b.cols;
  const row = Math.floor(at.unit / b.cols);
  switch (key) {
    case "ArrowRight":
      return at.unit + 1 < b.units ? { ...at, unit: at.unit + 1 } : at.block < last ? { block: at.block + 1, unit: 0 } : null;
    case "ArrowLeft":
      return at.unit > 0 ? { ...at, unit: at.unit - 1 } : at.block > 0 ? { block: at.block - 1, unit: l.blocks[at.block - 1].units - 1 } : null;
    case "Home":
      return { block: 0, unit: 0 };
    case "End":
      return { block: last, unit: l.blocks[last].units - 1 };
    case "PageDown":
      return at.block < last ? { block: at.block + 1, unit: 0 } : null;
    case "PageUp":
      return at.unit > 0 ? { ...at, unit: 0 } : at.block > 0 ? { block: at.block - 1, unit: 0 } : null;
    case "ArrowDown":
      if (at.unit + b.cols < b.units) return { ...at, unit: at.unit + b.cols };
      if (row + 1 < b.rows) return { ...at, unit: b.units - 1 };
      return nearest(l, b.x + col * l.cell, b.y + b.rows * l.cell, 1);
    case "ArrowUp":
      if (row > 0) return { ...at, unit: at.unit - b.cols };
      return nearest(l, b.x + col * l.cell, b.y - HEADER, -1);
    default:
      return null;
  }
}

/** The cell of the next shelf below or above that is nearest to a column. @param {Layout} l @param {number} x @param {number} y @param {number} way */
function nearest(l, x, y, way) {
  let best = null;
  let reach = Infinity;
  l.blocks.forEach((b, k) => {
    const away = way > 0 ? b.y - y : y - (b.y + b.rows * l.cell);
    if (away < -0.5) return;
    const aside = x < b.x ? b.x - x : x >= b.x + b.w ? x - b.x - b.w : 0;
    if (away * 4 + aside >= reach) return;
    reach = away * 4 + aside;
    const col = Math.max(0, Math.min(b.cols - 1, Math.floor((x - b.x) / l.cell)));
    const row = way > 0 ? 0 : b.rows - 1;
    best = { block: k, unit: Math.min(b.units - 1, row * b.cols + col) };
  });
  return best;
}
