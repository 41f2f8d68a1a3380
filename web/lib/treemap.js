// Squarified treemap: areas in proportion, tiles as square as they can be. Pure.

/**
 * @param {number[]} values biggest first, all above 0
 * @param {number} width
 * @param {number} height
 * @returns {{ x: number, y: number, w: number, h: number }[]} one per value, same units as the sides
 */
export function squarify(values, width, height) {
  const total = values.reduce((a, b) => a + b, 0);
  /** @type {{ x: number, y: number, w: number, h: number }[]} */
  const out = [];
  if (total <= 0 || width <= 0 || height <= 0) return values.map(() => ({ x: 0, y: 0, w: 0, h: 0 }));
  const areas = values.map((v) => (v / total) * width * height);
  let x = 0, y = 0, w = width, h = height;

  /** The worst side ratio of a row of areas along a side. @param {number[]} row @param {number} side */
  const worst = (row, side) => {
    const sum = row.reduce((a, b) => a + b, 0);
    const depth = sum / side;
    return Math.max(...row.map((a) => Math.max(depth / (a / depth), a / depth / depth)));
  };

  let i = 0;
  while (i < areas.length) {
    const side = Math.min(w, h);
    let row = [areas[i]];
    let j = i + 1;
    while (j < areas.length && worst([...row, areas[j]], side) <= worst(row, side)) {
      row.push(areas[j]);
      j++;
    }
    const sum = row.reduce((a, b) => a + b, 0);
    const depth = side > 0 ? sum / side : 0;
    let offset = 0;
    for (const a of row) {
      const length = depth > 0 ? a / depth : 0;
      out.push(w >= h ? { x, y: y + offset, w: depth, h: length } : { x: x + offset, y, w: length, h: depth });
      offset += length;
    }
    if (w >= h) {
      x += depth;
      w = Math.max(0, w - depth);
    } else {
      y += depth;
      h = Math.max(0, h - depth);
    }
    i = j;
  }
  return out;
}
