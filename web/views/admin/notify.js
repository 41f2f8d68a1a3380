// Who is told of findings: targets, a test of each, and how its deliveries went.
import { html, useEffect, useState } from "../../lib/ui.js";
import { request } from "../../lib/api.js";
import { en } from "../../lib/en.js";
import { fill } from "../../lib/fill.js";
import { count } from "../../lib/format.js";
import { href } from "../../lib/router.js";
import { visible } from "../../lib/text.js";
import { KIND } from "../../lib/words.js";
import { FindingLink, Name, Time } from "../../components/names.js";
import { SeverityMark } from "../../components/marks.js";
import { Choice, Dialog, Field, Form, SecretDialog } from "../../components/dialog.js";
import { ErrorPanel, Skeleton } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { Rows, afterChange, json, moment, said, useRows } from "./rows.js";

const a = en.admin;
const t = a.notify;
const KINDS = Object.entries(t.kinds);
const SEVERITIES = Object.entries(t.severities);
const path = (/** @type {any} */ target) => href(["notify-targets", String(target.id)]);

/** The fields of a target as a form holds them. @param {any} target null: a new one */
function useTarget(target) {
  const [name, setName] = useState(target?.name ?? "");
  const [kind, setKind] = useState(target?.kind ?? "generic");
  const [address, setAddress] = useState(target?.address ?? "");
  const [secret, setSecret] = useState("");
  const [severity, setSeverity] = useState(target?.min_severity ?? "warning");
  const [kinds, setKinds] = useState(/** @type {string[]} */ (target?.kinds ?? []));
  const [attribute, setAttribute] = useState(target?.attribute ?? "");
  const [value, setValue] = useState(target?.attribute_value ?? "");
  const [enabled, setEnabled] = useState(target?.enabled ?? true);
  const body = () => ({
    name: name.trim(), kind, address: address.trim(), ...(secret ? { secret } : {}), min_severity: severity, kinds: kinds.length ? kinds : null,
    attribute: attribute.trim() || null, attribute_value: attribute.trim() ? value.trim() : null, enabled,
  });
  return { name, setName, kind, setKind, address, setAddress, secret, setSecret, severity, setSeverity, kinds, setKinds, attribute, setAttribute, value, setValue, enabled, setEnabled, body };
}

const FIELDS = ["name", "address", "secret", "attribute", "attribute_value"];

/** @param {{ f: ReturnType<typeof useTarget>, error: any, made: boolean }} props */
function Fields({ f, error, made }) {
  const turn = (/** @type {string} */ kind) => f.setKinds(f.kinds.includes(kind) ? f.kinds.filter((k) => k !== kind) : [...f.kinds, kind]);
  return html`<div class="form-columns">
      <${Field} id="target-name" label=${a.name} name="name" value=${f.name} onInput=${f.setName} error=${error} maxlength=${128} focus />
      <${Choice} id="target-kind" label=${t.kind} value=${f.kind} options=${KINDS} onChange=${f.setKind} />
      <${Field} id="target-address" label=${t.address} name="address" value=${f.address} onInput=${f.setAddress} error=${error} maxlength=${2048} hint=${t.addressHint} />
      ${["generic", "alertmanager"].includes(f.kind)
        ? html`<${Field} id="target-secret" label=${t.secret} name="secret" type="password" value=${f.secret} onInput=${f.setSecret} error=${error} maxlength=${512} required=${false} hint=${made ? t.secretHint.change : t.secretHint.create} />`
        : html`<span></span>`}
      <${Choice} id="target-severity" label=${t.severity} value=${f.severity} options=${SEVERITIES} onChange=${f.setSeverity} />
      <fieldset class="field checks"><legend>${t.of}</legend>
        ${Object.entries(KIND).map(([kind, text]) => html`<label class="check"><input type="checkbox" checked=${f.kinds.includes(kind)} onChange=${() => turn(kind)} /> ${text}</label>`)}
        <p class="muted small">${t.ofHint}</p></fieldset>
      <${Field} id="target-attribute" label=${t.attribute} name="attribute" value=${f.attribute} onInput=${f.setAttribute} error=${error} required=${false} hint=${t.attributeHint} />
      <${Field} id="target-value" label=${t.value} name="attribute_value" value=${f.value} onInput=${f.setValue} error=${error} required=${Boolean(f.attribute.trim())} />
    </div>
    <label class="check"><input type="checkbox" checked=${f.enabled} onChange=${(/** @type {any} */ e) => f.setEnabled(e.target.checked)} /> ${t.enabled}</label>`;
}

/** @param {{ onClose: () => void, onMade: (made: any) => void }} props */
function Add({ onClose, onMade }) {
  const f = useTarget(null);
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async () => onMade((await request("/notify-targets", { method: "POST", body: json(f.body()) })).body);
  return html`<${Dialog} title=${t.addTitle} onClose=${onClose} wide>
    <${Form} submit=${t.submit} onSubmit=${send} onError=${setError} onCancel=${onClose} fields=${FIELDS}><${Fields} f=${f} error=${error} made=${false} /><//>
  <//>`;
}

/** @param {{ target: any }} props */
function Test({ target }) {
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState(/** @type {any} */ (null));
  const send = async () => {
    setBusy(true);
    setResult(null);
    try {
      setResult((await request(path(target) + "/test", { method: "POST", timeout: 120000 })).body);
    } catch (e) {
      setResult({ sent: false, error: /** @type {any} */ (e).detail ?? /** @type {any} */ (e).title });
    }
    setBusy(false);
  };
  return html`<div class="actions">
    <button class="button" type="button" disabled=${busy} onClick=${send}>${busy ? t.testing : t.test}</button>
    <span role="status" class="test-result">${result ? html`<${SeverityMark} severity=${result.sent ? "ok" : "critical"} size=${14} label=${false} /> ${result.sent ? t.testSent : fill(t.testFailed, { error: html`<bdi>${visible(result.error)}</bdi>` })}` : null}</span>
  </div>`;
}

/** @param {{ items: any[] }} props */
function Deliveries({ items }) {
  if (items.length === 0) return html`<p class="muted">${t.noDeliveries}</p>`;
  /** @type {import("../../components/table.js").Column[]} */
  const columns = [
    { key: "created", label: t.created, class: "nowrap", cell: (d) => html`<${Time} value=${d.created_at} />` },
    { key: "event", label: t.event, cell: (d) => said(t.events, d.event) },
    { key: "finding", label: t.finding, cell: (d) => (d.finding_id ? html`<${FindingLink} id=${d.finding_id} />` : t.digest) },
    { key: "state", label: a.state, cell: (d) => html`<span class=${"badge" + (d.state === "sent" ? " badge-ok" : d.state === "given_up" ? " badge-critical" : "")}>${said(t.deliveryStates, d.state)}</span>` },
    { key: "attempts", label: t.attempts, number: true, cell: (d) => count(d.attempts) },
    { key: "next", label: t.next, class: "nowrap", cell: (d) => html`<${Time} value=${d.next_at} as="second" />` },
    { key: "done", label: t.done, class: "nowrap", cell: (d) => html`<${Time} value=${d.done_at} />` },
    { key: "error", label: t.error, cell: (d) => html`<${Name} value=${d.last_error} length=${160} none="" />` },
  ];
  return html`<div class="preview"><${Table} caption=${t.deliveries} columns=${columns} rows=${items} rowKey=${(/** @type {any} */ d) => String(d.id)} compact /></div>`;
}

/** @param {{ target: any, etag: string, onClose: () => void, onDone: (said: string) => void }} props */
function EditForm({ target, etag: first, onClose, onDone }) {
  const f = useTarget(target);
  const [etag, setEtag] = useState(first);
  const [error, setError] = useState(/** @type {any} */ (null));
  const [removing, setRemoving] = useState(false);
  const save = async () => {
    await request(path(target), { method: "PATCH", body: json(f.body()), headers: { "if-match": etag } });
    onDone(a.said.saved(visible(f.name)));
  };
  const collide = async () => {
    const { body: now, headers } = await request(path(target));
    setEtag(headers.get("etag") ?? "*");
    const mine = /** @type {Record<string, any>} */ (f.body());
    const labels = /** @type {Record<string, string>} */ ({ name: a.name, kind: t.kind, address: t.address, min_severity: t.severity, enabled: t.enabled, attribute: t.attribute, attribute_value: t.value });
    const show = (/** @type {any} */ v) => (typeof v === "boolean" ? (v ? t.on : t.off) : html`<${Name} value=${v} />`);
    return Object.keys(labels).filter((key) => (now[key] ?? null) !== (mine[key] ?? null)).map((key) => ({ label: labels[key], now: show(now[key]), yours: show(mine[key]) }));
  };
  const remove = async () => {
    await request(path(target), { method: "DELETE" });
    onDone(a.said.removed(visible(target.name)));
  };
  if (removing) {
    return html`<${Form} key="remove" submit=${a.remove} danger onSubmit=${remove} onCancel=${() => setRemoving(false)}>
      <p><b>${t.removeTitle}</b></p><p>${fill(t.removeSays, { name: html`<b><${Name} value=${target.name} /></b>` })}</p><//>`;
  }
  return html`<${Form} key="edit" submit=${a.save} onSubmit=${save} onError=${setError} onCancel=${onClose} onCollide=${collide} fields=${FIELDS}><${Fields} f=${f} error=${error} made /><//>
    <section class="dialog-part" aria-label=${t.test}><${Test} target=${target} /></section>
    <section class="dialog-part" aria-labelledby="deliveries-h"><h3 id="deliveries-h">${t.deliveries}</h3><${Deliveries} items=${target.deliveries} /></section>
    <p class="dialog-foot"><button class="button button-small button-quiet" type="button" onClick=${() => setRemoving(true)}>${t.removeTarget}</button></p>`;
}

/** Read anew when it opens: the list has no deliveries and may be a minute old. @param {{ target: any, onClose: () => void, onDone: (said: string) => void }} props */
function Edit({ target, onClose, onDone }) {
  const [fresh, setFresh] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const load = () => {
    setError(null);
    request(path(target)).then(setFresh, setError);
  };
  useEffect(load, []);
  return html`<${Dialog} title=${html`<${Name} value=${target.name} />`} onClose=${onClose} wide>
    ${fresh ? html`<${EditForm} target=${fresh.body} etag=${fresh.headers.get("etag") ?? "*"} onClose=${onClose} onDone=${onDone} />`
      : error ? html`<${ErrorPanel} error=${error} retry=${load} />` : html`<${Skeleton} rows=${5} />`}
  <//>`;
}

/** @param {{ route: import("../../lib/router.js").Route }} props */
export function Notify({ route }) {
  const list = useRows(route, "/notify-targets", "name");
  const [open, setOpen] = useState(/** @type {any} */ (null));
  const close = () => setOpen(null);
  const done = afterChange(list, close);
  /** @type {import("../../components/table.js").Column[]} */
  const columns = [
    { key: "name", label: a.name, sort: "name", cell: (r) => html`<${Name} value=${r.name} length=${40} />${r.enabled ? null : html` <span class="badge">${t.off}</span>`}` },
    { key: "kind", label: t.kind, sort: "kind", cell: (r) => said(t.kinds, r.kind) },
    { key: "address", label: t.address, sort: "address", class: "clip", cell: (r) => html`<${Name} value=${r.address} length=${60} />` },
    { key: "severity", label: t.severity, sort: "min_severity", cell: (r) => said(t.severities, r.min_severity) },
    { key: "waiting", label: t.waiting, sort: "waiting", number: true, cell: (r) => count(r.waiting) },
    { key: "given", label: t.givenUp, sort: "given_up", number: true, cell: (r) => (r.given_up ? html`<span class="warn-text">${count(r.given_up)}</span>` : count(0)) },
    { key: "last", label: t.lastSent, sort: "last_sent_at", class: "nowrap", cell: (r) => moment(r.last_sent_at) },
    { key: "error", label: t.lastError, cell: (r) => html`<${Name} value=${r.last_error} length=${60} none="" />` },
    { key: "edit", label: a.change, class: "end no-print", cell: (r) => html`<button class="button button-small" type="button" aria-label=${a.changeOf(visible(r.name))} onClick=${() => setOpen({ edit: r })}>${a.changeButton}</button>` },
  ];
  const made = (/** @type {any} */ target) => (target.secret ? setOpen({ made: target }) : done(a.said.added(visible(target.name))));
  return html`<${Rows} path="/admin/notify" route=${route} list=${list} sort="name" caption=${t.caption} columns=${columns} none=${t.none} searchable=${false}
      tools=${html`<button class="button button-primary push" type="button" onClick=${() => setOpen("new")}>${t.add}</button>`} />
    ${open === "new" ? html`<${Add} onClose=${close} onMade=${made} />` : null}
    ${open?.made ? html`<${SecretDialog} title=${t.made} secret=${open.made.secret} what=${t.madeUse} onClose=${() => done(a.said.added(visible(open.made.name)))} />` : null}
    ${open?.edit ? html`<${Edit} target=${open.edit} onClose=${close} onDone=${done} />` : null}`;
}
