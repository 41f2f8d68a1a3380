// Small marks: severity by colour and shape, kinds, pills, meters, sparklines.
import { html } from "../lib/ui.js";
import { KIND, SEVERITY, STATUS } from "../lib/words.js";
import { en } from "../lib/en.js";

// A diamond, a triangle, a circle and a tick differ without colour, also when printed grey.
/** @type {Record<string, any>} */
const SHAPES = {
  critical: () => html`<path d="M8 .9 15.1 8 8 15.1.9 8Z" /><path class="cut" d="M8 4.6v4.2M8 11v.4" />`,
  warning: () => html`<path d="M8 1.4 15.4 14.4H.6Z" /><path class="cut" d="M8 6.2v3.9M8 12v.4" />`,
  info: () => html`<circle cx="8" cy="8" r="6.6" /><path class="cut" d="M8 4.7v.4M8 7.2v4.2" />`,
  ok: () => html`<circle cx="8" cy="8" r="6.6" /><path class="cut" d="m5 8.2 2.1 2.2L11 6" />`,
};

/** @param {{ severity: string, size?: number, label?: boolean }} props */
export function SeverityMark({ severity, size = 16, label = true }) {
  const shape = SHAPES[severity] ?? SHAPES.info;
  const name = SEVERITY[severity] ?? severity;
  return html`<svg
    class=${"mark mark-" + (SHAPES[severity] ? severity : "info")}
    width=${size}
    height=${size}
    viewBox="0 0 16 16"
    role=${label ? "img" : "presentation"}
    aria-label=${label ? name : undefined}
    aria-hidden=${label ? undefined : "true"}
    >${shape()}</svg
  >`;
}

/** @param {{ severity: string }} props */
export function SeverityBadge({ severity }) {
  return html`<span class=${"badge badge-" + severity}
    ><${SeverityMark} severity=${severity} size=${12} label=${false} />${SEVERITY[severity] ??
    severity}</span
  >`;
}

/** Data that does not come from a Windows kernel, wherever its host appears. @param {{ what?: string }} props */
export function SimulatedBadge({ what = en.states.simulated }) {
  return html`<span class="badge badge-simulated" title=${en.states.simulatedWhy}>${what}</span>`;
}

/** @param {{ kind: string }} props */
export function KindBadge({ kind }) {
  return html`<span class="badge">${KIND[kind] ?? kind}</span>`;
}

/** @param {{ status: string }} props */
export function StatusBadge({ status }) {
  return html`<span class=${"badge badge-status-" + status}>${STATUS[status] ?? status}</span>`;
}

/** @param {{ pool: string | null }} props */
export function PoolName({ pool }) {
  return html`<span class="pool">${pool ?? en.states.poolUnknown}</span>`;
}

/**
 * A share of a whole as a bar. Nothing known: nothing drawn.
 * @param {{ value: number | null | undefined, max: number | null | undefined, label: string, tone?: string }} props
 */
export function Meter({ value, max, label, tone }) {
  if (value == null || !max) return html`<span class="meter meter-unknown" aria-hidden="true"></span>`;
  const share = Math.max(0, Math.min(1, value / max));
  const kind = tone ?? (share >= 0.9 ? "critical" : share >= 0.75 ? "warning" : "plain");
  return html`<span
    class=${"meter meter-" + kind}
    role="img"
    aria-label=${`${label}: ${Math.round(share * 100)} %`}
    ><span style=${{ width: `${(share * 100).toFixed(2)}%` }}></span
  ></span>`;
}

/**
 * A line without axes. Gaps are gaps. The place is held before the data is there.
 * @param {{ t?: number[], values?: (number | null)[] | null, width?: number, height?: number, label?: string, tone?: string }} props
 */
export function Sparkline({ t, values, width = 128, height = 36, label = "", tone = "" }) {
  const known = (values ?? []).filter((v) => v !== null);
  let line = "";
  let end = null;
  if (values && known.length >= 2) {
    const lo = Math.min(0, ...(/** @type {number[]} */ (known)));
    const hi = Math.max(.../** @type {number[]} */ (known)) || 1;
    const times = t ?? values.map((_, i) => i);
    const t0 = times[0];
    const t1 = times[times.length - 1];
    let pen = false;
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      if (v === null || v === undefined) {
        pen = false;
        continue;
      }
      const x = 2 + ((times[i] - t0) / (t1 - t0 || 1)) * (width - 6);
      const y = height - 3 - ((v - lo) / (hi - lo || 1)) * (height - 6);
      line += `${pen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = true;
      end = [x, y];
    }
  }
  return html`<svg
    class=${"spark " + tone}
    width=${width}
    height=${height}
    viewBox=${`0 0 ${width} ${height}`}
    role=${label ? "img" : "presentation"}
    aria-label=${label || undefined}
    aria-hidden=${label ? undefined : "true"}
  >
    ${line ? html`<path class="spark-line" d=${line} />` : null}
    ${end ? html`<circle class="spark-end" cx=${end[0]} cy=${end[1]} r="2" />` : null}
  </svg>`;
}
