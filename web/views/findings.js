// All findings, by status and severity.
import { html } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useList } from "../lib/lists.js";
import { search, setQuery } from "../lib/router.js";
import { STATUS } from "../lib/words.js";
import { FindingItem, isFresh } from "../components/finding_item.js";
import { Empty, Load } from "../components/states.js";
import { More } from "../components/more.js";
import { Select } from "../components/select.js";

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Findings({ route }) {
  useTitle("Findings");
  const q = (/** @type {string} */ key) => route.query.get(key) ?? "";
  const list = useList(
    "/findings" +
      search({ status: q("status"), severity: q("severity"), kind: q("kind"), tag: q("tag"), host: q("host"), limit: 50 }),
  );
  const filtered = ["status", "severity", "kind", "tag", "host"].some((k) => q(k));
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Findings</h1></div>
    <div class="toolbar">
      <${Select} label="Status" value=${q("status")} onChange=${(/** @type {string} */ v) => setQuery({ status: v })}
        options=${[["", "Open and acknowledged"], ...Object.entries(STATUS), ["acknowledged,muted,resolved", "All but open"], ["open,acknowledged,muted,resolved", "All"]]} />
      <${Select} label="Severity" value=${q("severity")} onChange=${(/** @type {string} */ v) => setQuery({ severity: v })}
        options=${[["", "Any"], ["critical", "Critical"], ["warning", "Warning"], ["info", "Info"]]} />
      <${Select} label="Kind" value=${q("kind")} onChange=${(/** @type {string} */ v) => setQuery({ kind: v })}
        options=${[["", "Any"], ["leak", "Leak"], ["level", "High level"], ["plateau", "Grew and stayed"], ["exhaustion", "Near its limit"], ["handle_leak", "Handle leak"], ["shift", "New version uses more"]]} />
      ${filtered ? html`<a class="button button-small button-quiet" href="/findings">Clear filters</a>` : null}
    </div>
    <${Load}
      resource=${list.resource}
      render=${(/** @type {List<Finding>} */ data) =>
        list.items.length
          ? html`<div class="finding-list">
                ${list.items.map((f) => html`<${FindingItem} key=${f.id} finding=${f} fresh=${f.status === "open" && isFresh(f, null)} />`)}
              </div>
              <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what="findings" />`
          : html`<${Empty} mark=${filtered ? undefined : "ok"} title=${filtered ? "No finding matches" : "No open findings"}>
              ${filtered ? html`<a href="/findings">Clear filters</a>` : "No tag is out of line on any host."}
            <//>`}
    />
  </div>`;
}
