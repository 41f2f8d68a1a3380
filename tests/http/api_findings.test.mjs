// SPDX-License-Identifier: Apache-2.0
// Findings through the API: what the analysis finds, what people change, and the report.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { makeFleet, postAndFind } from './fleet.mjs';
import { DATABASE, PROGRAM, start } from './server.mjs';

let server;
let fleet;
let finding;
const as = (role) => (method, target, { body, headers = {} } = {}) => server.request(method,
  `/api/v1${target}`, { token: server.token(role), headers: { ...headers,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
  body: body === undefined ? undefined : JSON.stringify(body) });
const viewer = (...args) => as('viewer')('GET', ...args);
const patch = (body, headers) => as('operator')('PATCH', `/findings/${finding.id}`, { body, headers });

before(async () => {
  server = await start('--analyze-interval', '2s');
  fleet = makeFleet();
  finding = await postAndFind(server, fleet);
});
after(() => server.stop());

test('the leak is found, with its host first and its rate', async () => {
  const full = (await viewer(`/findings/${finding.id}`)).json();
  assert.equal(full.pool, 'nonpaged');
  assert.equal(full.tag, 'Leak');
  const host = full.hosts.find((h) => h.id === fleet.leaky.id);
  assert.ok(Math.abs(host.rate_bytes_per_hour / 40e6 - 1) < 0.1, `rate ${host.rate_bytes_per_hour}`);
  assert.equal(host.bytes, fleet.leaked);
  assert.equal(full.host_count, full.hosts.length);
  assert.equal(full.history[0].change, 'opened');
  assert.equal(full.tags_detail[0].driver, 'myfault.sys');
  const host_detail = (await viewer(`/hosts/${fleet.leaky.id}`)).json();
  assert.ok(host_detail.finding_ids.includes(finding.id));
  const listed = (await viewer(`/hosts?finding=yes&q=${fleet.leaky.id}`)).json();
  assert.equal(listed.items[0].findings, host_detail.finding_ids.length);
});

test('analyze --as-of the same moment finds the same', async () => {
  const { as_of } = (await viewer('/overview')).json();
  const out = execFileSync(PROGRAM, ['analyze', '--as-of', as_of, '--json', '--database-url', DATABASE],
    { encoding: 'utf8', maxBuffer: 1 << 26 });
  const document = JSON.parse(out);
  assert.equal(document.as_of, as_of);
  const same = document.findings.find((f) => f.id === finding.id);
  assert.ok(same, `${finding.id} is not among ${document.findings.map((f) => f.id)}`);
  assert.equal(same.kind, 'leak');
});

test('a viewer changes nothing, an operator does, and the history tells who', async () => {
  assert.equal((await as('viewer')('PATCH', `/findings/${finding.id}`,
    { body: { status: 'acknowledged' } })).status, 403);
  const reply = await patch({ status: 'acknowledged', note: 'case 4711 <b>' });
  assert.equal(reply.status, 200, reply.body.toString());
  const after = reply.json();
  assert.equal(after.status, 'acknowledged');
  assert.equal(after.note, 'case 4711 <b>');
  assert.match(after.acknowledged_by, /^test operator /);
  assert.equal(after.history.at(-1).change, 'acknowledged');
  assert.equal(after.history.at(-1).actor, after.acknowledged_by);
  assert.ok((await viewer('/findings?status=acknowledged')).json().items.some((f) => f.id === finding.id));
  assert.ok(!(await viewer('/findings?status=open')).json().items.some((f) => f.id === finding.id));
});

test('If-Match: a change over another person\'s is 412, over new evidence it is not', async () => {
  const { etag } = (await viewer(`/findings/${finding.id}`)).headers;
  assert.equal((await patch({ note: 'one' }, { 'if-match': etag })).status, 200);
  const late = await patch({ note: 'two' }, { 'if-match': etag });
  assert.equal(late.status, 412, late.body.toString());
  assert.equal(late.json().type, 'urn:poolfleet:problem:precondition_failed');
  assert.equal((await viewer(`/findings/${finding.id}`)).json().note, 'one');
  assert.equal((await patch({ note: 'three' }, { 'if-match': '"else"' })).status, 412);
  assert.equal((await patch({ note: null }, { 'if-match': '*' })).json().note, null);
});

test('changes are strict', async () => {
  const refused = [[{}, null], [{ status: 'gone' }, 'status'], [{ status: 1 }, 'status'],
    [{ note: 5 }, 'note'], [{ note: 'x'.repeat(2001) }, 'note'], [{ color: 'red' }, 'color'],
    [{ status: 'muted', muted_until: '2001-01-01T00:00:00Z' }, 'muted_until'],
    [{ status: 'muted', muted_until: 'soon' }, 'muted_until'],
    [{ status: 'open', muted_until: '2999-01-01T00:00:00Z' }, 'muted_until']];
  for (const [body, field] of refused) {
    const reply = await patch(body);
    assert.equal(reply.status, 422, JSON.stringify(body));
    assert.equal(reply.json().field, field);
  }
  for (const text of ['[]', '{', '{"note":"a","note":"b"}', '"x"']) {
    const reply = await server.request('PATCH', `/api/v1/findings/${finding.id}`,
      { token: server.token('operator'), headers: { 'content-type': 'application/json' }, body: text });
    assert.equal(reply.status, 400, text);
  }
  assert.equal((await as('operator')('PATCH', '/findings/f-none', { body: { note: 'x' } })).status, 404);
});

test('muted until a time, and opened again', async () => {
  const until_ = new Date(Date.now() + 3600e3).toISOString();
  const muted = (await patch({ status: 'muted', muted_until: until_ })).json();
  assert.equal(muted.status, 'muted');
  assert.equal(Date.parse(muted.muted_until), Date.parse(until_));
  const opened = (await patch({ status: 'open' })).json();
  assert.equal(opened.status, 'open');
  assert.equal(opened.muted_until, null);
  assert.equal(opened.acknowledged_by, null);
});

test('a status that cannot follow is refused, and the same again changes nothing', async () => {
  assert.equal((await patch({ status: 'resolved' })).json().status, 'resolved');
  for (const status of ['acknowledged', 'muted']) {
    const reply = await patch({ status });
    assert.equal(reply.status, 422, reply.body.toString());
    assert.equal(reply.json().field, 'status');
  }
  const before = (await patch({ status: 'resolved' })).json();
  const opened = (await patch({ status: 'open', note: 'it is back' })).json();
  assert.equal(opened.history.length, before.history.length + 1);
  assert.equal(opened.history.at(-1).change, 'reopened');
  assert.equal(opened.history.at(-1).note, 'it is back');
  assert.equal(opened.reopened_count, before.reopened_count + 1);
  assert.ok(opened.reopened_at);
});

test('mutes: what is covered whole is muted, one host outside keeps it open, the end opens it', async () => {
  const operator = as('operator');
  const full = (await viewer(`/findings/${finding.id}`)).json();
  assert.equal((await as('viewer')('POST', '/mutes', { body: { tags: ['Leak'], reason: 'x' } })).status, 403);
  const made = await operator('POST', '/mutes', { body: { tags: full.tags, hosts: full.hosts.map((h) => h.id), reason: 'known <b>' } });
  assert.equal(made.status, 201, made.body.toString());
  const id = made.json().id;
  let now = (await viewer(`/findings/${finding.id}`)).json();
  assert.equal(now.status, 'muted');
  assert.equal(now.muted_by, id);
  assert.equal(now.muted_hosts, full.host_count);
  assert.equal(now.mutes[0].reason, 'known <b>');
  assert.ok(now.hosts.every((h) => h.muted_by === id));
  assert.equal(now.history.at(-1).change, 'muted');
  const refused = await patch({ status: 'open' });
  assert.equal(refused.status, 422);
  assert.match(refused.json().detail, new RegExp(`mute ${id} still covers`));
  assert.ok((await viewer('/mutes?state=standing')).json().items.some((m) => m.id === id && m.findings >= 1));
  const csv = await viewer('/mutes', { headers: { accept: 'text/csv' } });
  assert.ok(csv.body.toString().startsWith('id,state,finding,tags,hosts,driver,'));
  assert.equal((await operator('DELETE', `/mutes/${id}`)).json().state, 'ended');
  now = (await viewer(`/findings/${finding.id}`)).json();
  assert.equal(now.status, 'open');
  assert.equal(now.mutes.length, 0);
  const log = (await as('admin')('GET', '/audit?action=mute')).json().items.filter((x) => x.object === String(id));
  assert.deepEqual(log.map((x) => x.action).sort(), ['mute.create', 'mute.end']);
  assert.equal((await operator('DELETE', `/mutes/${id}`)).status, 422);
});

test('mutes are strict', async () => {
  const refused = [[{ reason: 'x' }, null], [{ tags: ['Leak'] }, 'reason'], [{ tags: ['Leak'], reason: ' ' }, 'reason'],
    [{ tags: ['toolong'], reason: 'x' }, 'tags'], [{ tags: 'Leak', reason: 'x' }, 'tags'], [{ hosts: [''], reason: 'x' }, 'hosts'],
    [{ hosts: [null], reason: 'x' }, 'hosts'], [{ driver_version: '1', tags: ['Leak'], reason: 'x' }, 'driver_version'],
    [{ driver: 5, reason: 'x' }, 'driver'], [{ tags: ['Leak'], until: '2001-01-01T00:00:00Z', reason: 'x' }, 'until'],
    [{ finding: 'f-none', reason: 'x' }, 'finding'], [{ tags: ['Leak'], reason: 'x', who: 'me' }, 'who']];
  for (const [body, field] of refused) {
    const reply = await as('operator')('POST', '/mutes', { body });
    assert.equal(reply.status, 422, JSON.stringify(body));
    assert.equal(reply.json().field, field, JSON.stringify(body));
  }
  assert.equal((await viewer('/mutes?state=old')).status, 422);
  assert.equal((await viewer('/mutes/x')).status, 404);
});

test('the series of a finding: its hosts beside the middle of unaffected peers', async () => {
  const series = (await viewer(`/findings/${finding.id}/series?points=50&hosts=3`)).json();
  assert.equal(series.t.length, 50);
  assert.ok(series.hosts.length >= 1 && series.hosts.length <= 3);
  const worst = series.hosts.find((h) => h.id === fleet.leaky.id);
  assert.equal(worst.bytes.at(-1), fleet.leaked);
  assert.equal(series.peers.median.length, 50);
  assert.ok(series.peers.hosts >= 3, `${series.peers.hosts} peers`);
  assert.ok(series.peers.median.at(-1) < worst.bytes.at(-1));
});

test('a driver filters the list, by owner and by cause', async () => {
  const ids = async (query) => (await viewer(`/findings?status=open,acknowledged,muted,resolved&${query}`)).json().items.map((f) => f.id);
  assert.ok((await ids('driver=MYFAULT.sys')).includes(finding.id));
  assert.ok(!(await ids('driver=none.sys')).includes(finding.id));
});

test('lists: filters by words of the contract only', async () => {
  for (const [query, field] of [['status=new', 'status'], ['status=', 'status'], ['severity=bad', 'severity'],
    ['kind=leak,x', 'kind'], ['tag=toolong', 'tag'], ['sort=hosts', 'sort']]) {
    const reply = await viewer(`/findings?${query}`);
    assert.equal(reply.status, 422, query);
    assert.equal(reply.json().field, field);
  }
  const ids = async (query) => (await viewer(`/findings?${query}`)).json().items.map((f) => f.id);
  assert.ok((await ids('kind=leak,level&tag=Leak')).includes(finding.id));
  assert.ok(!(await ids('kind=shift')).includes(finding.id));
  assert.ok(!(await ids(`host=${fleet.hosts[1].id}`)).includes(finding.id) ||
    finding.hosts.some((h) => h.id === fleet.hosts[1].id));
  const severities = (await viewer('/findings')).json().items.map((f) =>
    ['info', 'warning', 'critical'].indexOf(f.severity));
  assert.deepEqual(severities, [...severities].sort((a, b) => b - a));
  const csv = await viewer('/findings', { headers: { accept: 'text/csv' } });
  assert.ok(csv.body.toString().startsWith('id,kind,status,severity,'));
});

test('the report hides host names unless asked, in both formats', async () => {
  const markdown = await viewer(`/findings/${finding.id}/report`);
  assert.match(markdown.headers['content-type'], /^text\/markdown/);
  const html = await viewer(`/findings/${finding.id}/report`, { headers: { accept: 'text/html' } });
  assert.match(html.headers['content-type'], /^text\/html/);
  for (const text of [markdown.body.toString(), html.body.toString()]) {
    assert.match(text, /host 1\b/);
    for (const host of fleet.hosts) {
      assert.ok(!text.includes(host.id), host.id);
      assert.ok(!text.includes('API-00'));
    }
    assert.ok(text.includes('How it was measured'));
  }
  assert.ok(html.body.includes('<polyline'));
  assert.ok(html.body.includes('stroke-dasharray'), 'the middle of the peers');
  assert.ok(markdown.body.includes('## Limits of this claim'));
  assert.match(markdown.body.toString(), /\| Build \|/);
  assert.ok(!html.body.includes('<script'));
  assert.equal((await viewer(`/findings/${finding.id}/report?names=yes`)).status, 403);
  assert.equal((await viewer(`/findings/${finding.id}/report?names=show`)).status, 422);
  const shown = await as('operator')('GET', `/findings/${finding.id}/report?names=yes&format=html`);
  assert.match(shown.headers['content-type'], /^text\/html/);
  assert.ok(shown.body.includes('API-00'));
  assert.equal((await viewer(`/findings/${finding.id}/report?format=pdf`)).status, 422);
});

test('a capture is compared with the fleet and its findings', async () => {
  const capture = ' Tag  Type     Allocs     Frees      Diff     Bytes  Per Alloc\n' +
    ' Leak Nonp    1900000        10   1899990 486397440        256\n';
  const reply = await server.request('POST', '/api/v1/diagnose', { token: server.token('viewer'),
    headers: { 'content-type': 'text/plain' }, body: capture });
  assert.equal(reply.status, 200, reply.body.toString());
  const leak = reply.json().comparison.find((c) => c.tag === 'Leak');
  assert.equal(leak.bytes, 486397440);
  assert.ok(leak.finding_ids.includes(finding.id));
  assert.match(leak.sentence, /hosts hold as much or less/);
  const nothing = await server.request('POST', '/api/v1/diagnose', { token: server.token('viewer'),
    headers: { 'content-type': 'text/plain' }, body: 'hello' });
  assert.equal(nothing.json().comparison, null);
  assert.equal(nothing.json().verdict, 'insufficient_data');
});
