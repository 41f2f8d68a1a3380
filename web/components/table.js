// Tables up to a few hundred rows: real <table>, sortable heads, one definition per column. One of many
// columns becomes, on a phone, a block for each row in which each value stands behind its name.
import { html } from "../lib/ui.js";

/** Columns that a phone has room for side by side. */
const FEW = 4;

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label
 * @property {(row: any) => any} cell
 * @property {string} [sort]      the name to sort by; absent: not sortable
 * @property {boolean} [number]   right-aligned; sorts the biggest first
 * @property {string} [hint]
 * @property {string} [class]
 */

/** Sort state as text: "-bytes" is bytes, biggest first. @param {string} now @param {Column} column */
function nextSort(now, column) {
  const field = /** @type {string} */ (column.sort);
  const down = "-" + field;
  if (now === down) return field;
  if (now === field) return down;
  return column.number ? down : field;
}

/**
 * @param {{ columns: Column[], rows: any[], rowKey: (row: any) => string, caption: string, sort?: string,
 *           onSort?: (sort: string) => void, compact?: boolean, rowClass?: (row: any) => string }} props
 */
export function Table({ columns, rows, rowKey, caption, sort = "", onSort, compact, rowClass }) {
  return html`<div class="table-wrap" tabindex="0" role="region" aria-label=${caption}>
    <table class=${"table" + (compact ? " table-compact" : "") + (columns.length > FEW ? " table-stack" : "")}>
      <caption class="offscreen">${caption}</caption>
      <thead>
        <tr>
          ${columns.map((c) => {
            const on = c.sort && (sort === c.sort || sort === "-" + c.sort);
            const down = sort.startsWith("-");
            return html`<th
              key=${c.key}
              scope="col"
              class=${(c.number ? "number " : "") + (c.class ?? "")}
              aria-sort=${on ? (down ? "descending" : "ascending") : undefined}
              title=${c.hint}
            >
              ${c.sort && onSort
                ? html`<button type="button" class=${"sort" + (on ? " sort-on" : "")} onClick=${() => onSort(nextSort(sort, c))}
                    >${c.label}<span class="sort-arrow" aria-hidden="true">${on ? (down ? "\u2193" : "\u2191") : ""}</span></button
                  >`
                : c.label}
            </th>`;
          })}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr key=${rowKey(row)} class=${rowClass?.(row)}>
            ${columns.map(
              (c) => html`<td key=${c.key} data-label=${c.label} class=${(c.number ? "number " : "") + (c.class ?? "")}>${c.cell(row)}</td>`,
            )}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/**
 * Sorts rows on the client; unknown values last in either direction.
 * @template T
 * @param {T[]} rows
 * @param {string} sort
 * @param {Record<string, (row: T) => string | number | null | undefined>} fields
 * @returns {T[]}
 */
export function sortRows(rows, sort, fields) {
  const down = sort.startsWith("-");
  const field = fields[down ? sort.slice(1) : sort];
  if (!field) return rows;
  return rows.slice().sort((a, b) => {
    const x = field(a);
    const y = field(b);
    if (x == null || y == null) return x == null ? (y == null ? 0 : 1) : -1;
    const order = typeof x === "string" ? x.localeCompare(String(y), "en") : x < /** @type {number} */ (y) ? -1 : x > /** @type {number} */ (y) ? 1 : 0;
    return down ? -order : order;
  });
}
