// SPDX-License-Identifier: Apache-2.0
// Findings and Finding in a headless browser: what people decide, mutes, the fix, the report, evidence.
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { browser, fake } from "./stage.mjs";

const LEAK = "/findings/f-1a2b3c4d5e6f7081";
const LONE = "/findings/f-3a2b3c4d5e6f7083";
let page;

async function open(path, wait, options) {
  page = await browser.page(options);
  await page.goto(fake.url + path);
  if (wait) await page.locator(wait).first().waitFor({ state: "attached" });
  return page;
}
const button = (name, exact = true) => page.getByRole("button", { name, exact });
const patches = () => fake.state.requests.filter((r) => r.method === "PATCH");
const mute = (more) => fake.state.mutes.push({ id: fake.state.mutes.length + 1, state: "standing", finding: null, tags: [], hosts: [], driver: null, driver_version: null, until: null, reason: "because", created_by: "ann", created_at: new Date().toISOString(), ended_at: null, ended_by: null, findings: 1, host_count: 2, version: 1, ...more });

describe("decisions", () => {
  test("change_sendsTheVersionSeen_andIsWrittenIntoTheTimeline", async () => {
    await open(LEAK, "#note");
    await page.fill("#note", "vendor case 4711");
    await button("Acknowledge").click();
    await page.locator(".badge-status-acknowledged").waitFor();
    assert.equal(patches()[0].headers["if-match"], '"v1.0"');
    assert.equal(await page.inputValue("#note"), "");
    const steps = await page.locator(".timeline .step").allInnerTexts();
    assert.match(steps[0], /Acknowledged.*tester.*vendor case 4711/s);
    assert.match(steps.at(-1), /Opened/);
    assert.deepEqual(page.faults(), []);
  });

  test("twoOperators_theSecondSeesBothVersions_losesNothing_andMayGoOn", async () => {
    await open(LEAK, "#note");
    fake.state.versions.set("f-1a2b3c4d5e6f7081", 5); // another was faster
    fake.state.patches.set("f-1a2b3c4d5e6f7081", { status: "acknowledged", note: "theirs <b>" });
    await page.fill("#note", "my long note");
    await button("Resolve").click();
    await page.locator(".conflict").waitFor();
    const text = await page.locator(".conflict").innerText();
    assert.match(text, /Changed meanwhile/);
    assert.match(text, /Acknowledged\s+Resolved/);
    assert.match(text, /theirs <b>\s+my long note/);
    assert.equal(await page.inputValue("#note"), "my long note");
    assert.deepEqual(await page.axe(), []);
    await page.picture("finding-conflict");
    await button("Save mine over it").click();
    await page.locator(".badge-status-resolved").waitFor();
    assert.equal(patches().at(-1).headers["if-match"], '"v6.0"');
    assert.equal(await page.inputValue("#note"), "");
    assert.deepEqual(page.faults({ refusals: true }), []);
  });

  test("twoOperators_theirsIsLeft_theNoteIsStillThere", async () => {
    await open(LEAK, "#note");
    fake.state.versions.set("f-1a2b3c4d5e6f7081", 5);
    await page.fill("#note", "mine");
    await button("Resolve").click();
    await button("Leave it as it is now").click();
    await page.locator(".conflict").waitFor({ state: "detached" });
    assert.equal(await page.inputValue("#note"), "mine");
    assert.equal(patches().length, 1);
  });

  test("sessionEndsWhileTyping_signInAgain_theNoteIsSentThen", async () => {
    await open(LEAK, "#note");
    await page.fill("#note", "typed before the end");
    await page.settled();
    fake.state.signedIn = false;
    await button("Acknowledge").click();
    await page.getByText("Your session has ended").waitFor();
    assert.equal(await page.locator("#note").inputValue(), "typed before the end");
    await page.locator("dialog[open] input").first().fill("tester");
    await page.locator("dialog[open] input[type=password]").fill(fake.password);
    await page.locator("dialog[open] button[type=submit]").click();
    await page.locator("dialog[open]").waitFor({ state: "detached" });
    await button("Acknowledge").click();
    await page.locator(".badge-status-acknowledged").waitFor();
    assert.equal(JSON.parse(patches().at(-1).body).note, "typed before the end");
  });

  test("sessionEnds_aRefusalFromBeforeComesAfterSigningIn_isAskedAgainAndTheDialogStaysAway", async () => {
    await open(LEAK, "#note");
    await page.settled();
    let release;
    const held = new Promise((r) => (release = r));
    // This refusal is on its way all the while somebody signs in.
    await page.route("**/report?*", (route) => held.then(() => route.fulfill({ status: 401, contentType: "application/problem+json", body: '{"title":"Not signed in","status":401}' })), { times: 1 });
    await page.getByRole("button", { name: "Make a report\u2026" }).click();
    await page.locator('.report-preview[aria-busy="true"]').waitFor();
    fake.state.signedIn = false;
    await page.evaluate(() => dispatchEvent(new CustomEvent("poolfleet:retry")));
    await page.locator("dialog[open] #password").waitFor();
    for (let i = 0; i < 2; i++) await page.keyboard.press("Escape"); // a browser obeys the second, whatever the page says
    await page.locator("dialog[open] #password").waitFor();
    await page.fill("#password", fake.password);
    await page.keyboard.press("Enter");
    await page.locator("#password").waitFor({ state: "detached" });
    release();
    await page.locator(".report-preview", { hasText: "host 1 leaks" }).waitFor();
    assert.equal(await page.locator("dialog[open]").count(), 1, "the report's alone");
    assert.deepEqual(page.faults({ refusals: true }), []);
  });

  test("serverFails_saysSoAndKeepsTheNote_andTheNoteOutlivesAMove", async () => {
    await open(LEAK, "#note");
    await page.locator(".chart canvas").first().waitFor();
    fake.state.fail.set(LEAK, { status: 503, title: "The database is away" });
    await page.fill("#note", "keep me");
    await button("Resolve").click();
    await page.locator(".panel .error-panel").first().waitFor();
    fake.state.fail.clear();
    await page.locator('a[href="/findings"]').first().click();
    await page.locator(".finding-list").waitFor();
    await page.locator(`a[href="${LEAK}"]`).first().click();
    await page.locator("#note").waitFor();
    assert.equal(await page.inputValue("#note"), "keep me");
  });

  test("slowServer_theButtonsWait_oneRequestIsSent", async () => {
    await open(LEAK, "#note");
    await page.locator(".chart canvas").first().waitFor();
    let go;
    fake.state.slow.set(LEAK, new Promise((r) => (go = r)));
    await button("Acknowledge").click();
    assert.equal(await button("Resolve").isDisabled(), true);
    assert.equal(await button("Saving\u2026").count(), 1);
    go();
    await page.locator(".badge-status-acknowledged").waitFor();
    assert.equal(patches().length, 1);
  });

  test("reopened_saysSo", async () => {
    fake.state.patches.set("f-1a2b3c4d5e6f7081", { reopened_at: new Date().toISOString(), reopened_count: 2 });
    await open(LEAK, ".reopened");
    assert.match(await page.locator(".reopened").innerText(), /came back 2 times/);
    assert.ok(await page.locator(".chips .badge", { hasText: "Reopened" }).count());
  });

  test("resolved_offersOnlyToOpenAgain", async () => {
    fake.state.patches.set("f-1a2b3c4d5e6f7081", { status: "resolved" });
    await open(LEAK, "#note");
    assert.deepEqual(await page.locator(".note-form button").allInnerTexts(), ["Open again"]);
  });
});

describe("mutes", () => {
  test("dialog_byKeyboard_mutesTheFindingWithReasonAndEnd", async () => {
    await open(LEAK, "#note");
    await page.fill("#note", "until the update");
    await page.getByRole("button", { name: "Mute\u2026" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("dialog[open]").waitFor();
    assert.equal(await page.inputValue("#mute-reason"), "until the update");
    assert.deepEqual(await page.axe(), []);
    await page.picture("finding-mute", false);
    await page.locator("#mute-reason").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter"); // the button that sends
    await page.locator(".badge-status-muted").first().waitFor();
    const sent = JSON.parse(fake.state.requests.find((r) => r.method === "POST" && r.path.endsWith("/mutes")).body);
    assert.equal(sent.finding, "f-1a2b3c4d5e6f7081");
    assert.deepEqual(sent.tags, []);
    assert.ok(Math.abs(Date.parse(sent.until) - Date.now() - 7 * 86400000) < 60000);
    assert.match(await page.locator(".mutes").innerText(), /this finding.*until the update.*by tester/s);
    assert.deepEqual(page.faults(), []);
  });

  test("dialog_whatMatches_sendsTagsHostAndDriverVersion_andRefusalKeepsTheReason", async () => {
    await open(LEAK, "#note");
    await page.getByRole("button", { name: "Mute\u2026" }).click();
    await page.getByLabel("Whatever matches, also findings to come").check();
    await page.selectOption("#mute-driver", "version");
    const host = await page.locator("#mute-host option").nth(2).getAttribute("value");
    await page.selectOption("#mute-host", host);
    assert.match(await page.locator("#mute-says").innerText(), /tags WCsc, NtFC, IoFE \u00b7 1 host \u00b7 driver wcifs\.sys 10\.0\.26100\.4061/);
    await page.selectOption("#mute-for", "");
    await page.fill("#mute-reason", "refuse me");
    await button("Mute").click();
    await page.locator("#mute-says.error-inline").waitFor();
    assert.equal(await page.inputValue("#mute-reason"), "refuse me");
    await page.fill("#mute-reason", "fine");
    await button("Mute").click();
    await page.locator("dialog[open]").waitFor({ state: "detached" });
    const sent = JSON.parse(fake.state.requests.filter((r) => r.method === "POST" && r.path.endsWith("/mutes")).at(-1).body);
    assert.deepEqual(sent, { finding: null, tags: ["WCsc", "NtFC", "IoFE"], hosts: [host], driver: "wcifs.sys", driver_version: "10.0.26100.4061", until: null, reason: "fine" });
  });

  test("dialog_nothingChosen_saysWhatIsMissing", async () => {
    await open(LEAK, "#note");
    await page.getByRole("button", { name: "Mute\u2026" }).click();
    await page.getByLabel("Whatever matches, also findings to come").check();
    await page.getByLabel(/these tags/).uncheck();
    await page.fill("#mute-reason", "x");
    await button("Mute").click();
    await page.locator("dialog[open] .error-panel").waitFor();
    assert.equal(fake.state.mutes.length, 0);
  });

  test("someHostsMuted_theFindingStaysOpenAndNamesThem", async () => {
    const host = fake.fleet.hosts.find((h) => h.leak);
    mute({ hosts: [host.id] });
    await open(LEAK, ".mutes");
    assert.match(await page.locator(".mutes").innerText(), /1 host/);
    assert.equal(await page.locator("td .badge-status-muted").count(), 1);
    assert.match(await page.locator(".chips").first().innerText(), /1 of \d+ hosts muted/);
    assert.equal(await page.locator("#life-h + .badge-status-open").count(), 1);
  });

  test("list_endsAMute_andA412IsShown", async () => {
    mute({ tags: ["WCsc"] });
    await open("/findings?show=mutes", ".table tbody tr");
    assert.match(await page.locator(".table tbody").innerText(), /tags WCsc.*because.*ann/s);
    assert.deepEqual(await page.axe(), []);
    fake.state.mutes[0].version = 2;
    await button("End mute 1").click();
    await page.locator(".error-panel").waitFor();
    assert.equal(fake.state.mutes[0].state, "standing");
    await page.reload();
    await button("End mute 1").click();
    await page.getByText("No mute stands").waitFor();
    assert.equal(fake.state.mutes[0].state, "ended");
  });

  test("findings_mutedOnesAreCountedAndShown_bornMutedIsMarked", async () => {
    fake.state.patches.set("f-1a2b3c4d5e6f7081", { status: "muted", born_muted: true });
    await open("/findings", ".muted-note");
    assert.match(await page.locator(".muted-note").innerText(), /1 muted finding is not shown, since it appeared/);
    await button("Show").click();
    await page.locator(".finding .badge", { hasText: "Born muted" }).waitFor();
    assert.match(page.url(), /status=muted/);
  });
});

describe("fix, report, evidence", () => {
  test("fix_oneSentence_aLineAHost_andATable", async () => {
    await open(LEAK, ".fix-plot");
    assert.match(await page.locator(".fix-says").innerText(), /Works.*1 of 7 measured still grow/s);
    assert.equal(await page.locator(".fix-host").count(), 7);
    assert.equal(await page.locator(".fix-growing rect").count(), 1, "told without colour");
    const fix = page.locator("section[aria-labelledby=fix-h]");
    await fix.locator(".twin summary", { hasText: "Table" }).click();
    const rows = await fix.locator(".twin-table tbody tr").allInnerTexts();
    assert.equal(rows.length, 12);
    assert.match(rows[0], /10\.0\.26100\.4202.*Stopped/s);
    const [file] = await Promise.all([page.waitForEvent("download"), button("Growth before and after as CSV", false).or(fix.locator(".twin button")).first().click()]);
    assert.match(file.suggestedFilename(), /csv$/);
  });

  test("worstHosts_haveMarks_aTableAndAFile_asTheHostsHave", async () => {
    const { readFileSync } = await import("node:fs");
    await open(LEAK, "section[aria-labelledby=worst-h] canvas");
    const panel = page.locator("section[aria-labelledby=worst-h]");
    await panel.getByText("Marked: boots and changes of drivers and agent on").waitFor();
    await panel.locator(".twin summary").click();
    await panel.locator(".twin-table tbody tr").nth(20).waitFor();
    assert.match(await panel.locator(".twin-table thead").innerText(), /Time.*Unaffected, middle/s);
    for (const [press, first] of [[panel.locator(".twin button"), /^at,/], [page.locator("section[aria-labelledby=hosts-h] .file-button"), /^id,name,bytes,cohort_bytes,score,rate_bytes_per_hour,since,exhausts_p10/]]) {
      const [file] = await Promise.all([page.waitForEvent("download"), press.click()]);
      const text = readFileSync(await file.path(), "utf8");
      assert.match(text, first);
      assert.ok(text.trimEnd().split("\n").length > 5, text.slice(0, 200));
    }
    assert.deepEqual(page.faults(), []);
  });

  test("fix_nothingToCheck_andNobodyMoved_areSaid", async () => {
    await open(LONE, "#fix-h");
    await page.getByText("No version explains this finding").waitFor();
    await page.close();
    await open("/findings/f-2a2b3c4d5e6f7082", ".fix-says");
    assert.match(await page.locator(".fix-says").innerText(), /Nobody has moved/);
  });

  test("report_dialog_previewsBothChoices_andTheLinksFollow", async () => {
    await open(LEAK, "#rep-h");
    await page.getByRole("button", { name: "Make a report\u2026" }).click();
    await page.locator(".report-preview", { hasText: "host 1 leaks" }).waitFor();
    assert.deepEqual(await page.axe(), []);
    await page.picture("finding-report", false);
    const link = page.getByRole("link", { name: "Download" });
    assert.equal(await link.getAttribute("href"), `/api/v1${LEAK}/report?format=html&names=no`);
    await page.selectOption("#report-names", "yes");
    await page.locator(".report-preview", { hasText: "FS001" }).waitFor();
    await page.selectOption("#report-format", "md");
    assert.equal(await link.getAttribute("href"), `/api/v1${LEAK}/report?format=md&names=yes`);
    await page.keyboard.press("Escape");
    await page.locator("dialog[open]").waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Make a report\u2026");
  });

  test("report_previewComes_theButtonsUnderItStay", async () => {
    await open(LEAK, "#rep-h");
    let release;
    const held = new Promise((r) => (release = r));
    await page.route("**/report?*", (route) => held.then(() => route.continue()), { times: 1 });
    await page.getByRole("button", { name: "Make a report\u2026" }).click();
    await page.locator('.report-preview[aria-busy="true"]').waitFor();
    const link = page.getByRole("link", { name: "Open", exact: true });
    const before = await link.boundingBox();
    release();
    await page.locator(".report-preview", { hasText: "host 1 leaks" }).waitFor();
    assert.deepEqual(await link.boundingBox(), before, "a click on its way is not lost");
  });

  test("report_viewer_isNotOfferedNames", async () => {
    fake.state.role = "viewer";
    await open(LEAK, "#rep-h");
    await page.getByRole("button", { name: "Make a report\u2026" }).click();
    assert.equal(await page.locator("#report-names option").count(), 1);
  });

  test("cause_pairVersionsAndChange_areShownWhenTheServerTells", async () => {
    await open(LEAK, ".cause-more");
    assert.match(await page.locator(".only-with").innerText(), /only together with\s+\w.*build-agent/i);
    assert.deepEqual(await page.locator(".versions-line li").evaluateAll((all) => all.map((x) => x.innerText.replace(/\s+/g, " "))), ["last good 10.0.26100.3915", "first bad 10.0.26100.4061", "good again from 10.0.26100.4202"]);
    assert.match(await page.locator(".change").innerText(), /6 hosts watched.*before\s+\+2\.10\sMB\/h\s+after\s+\+171\sMB\/h/s);
    await page.close();
    await open("/findings/f-2a2b3c4d5e6f7082", "#why-h");
    await page.settled();
    assert.equal(await page.locator(".cause-more, .only-with").count(), 0);
  });

  test("forecast_rangesAreDrawnSoonestFirst_andNoneWithoutALimit", async () => {
    await open(LEAK, ".forecast");
    const rows = await page.locator(".forecast svg").evaluateAll((all) => all.map((x) => ({ label: x.getAttribute("aria-label"), mid: Number(x.querySelector(".fc-mid").getAttribute("x1")), a: x.querySelector(".fc-range").x.baseVal.value, w: x.querySelector(".fc-range").width.baseVal.value })));
    assert.equal(rows.length, 6);
    assert.deepEqual(rows.map((r) => r.mid), rows.map((r) => r.mid).sort((a, b) => a - b));
    for (const r of rows) {
      assert.ok(r.a <= r.mid && r.mid <= r.a + r.w, "the middle is in its range");
      assert.match(r.label, /runs out in .+, middle \d{4}-/);
    }
    await page.close();
    await open("/findings/f-2a2b3c4d5e6f7082", "#why-h");
    await page.settled();
    assert.equal(await page.locator(".forecast").count(), 0);
  });

  test("evidence_opensToItsSeriesAndTheCallBehindIt", async () => {
    await open(LEAK, ".proof");
    await page.locator(".proof summary").nth(1).focus();
    await page.keyboard.press("Enter");
    await page.locator(".proof[open] .chart canvas").waitFor();
    const href = await page.locator(".proof[open] .api-link").getAttribute("href");
    assert.match(href, /^\/api\/v1\/hosts\/6f1c.*\/tags\/(WCsc|NtFC)\/series\?pool=nonpaged/);
    assert.ok((await page.locator("a.api-link").count()) > 10, "figures lead to their calls");
  });

  test("hosts_haveSparklines_andThePeersAreDrawn", async () => {
    await open(LEAK, "td .spark-line");
    assert.ok((await page.locator("td .spark-line").count()) >= 10);
    await page.getByText(/dashed: the middle of 15 unaffected hosts/).waitFor();
  });

  test("partsFail_theRestIsThere", async () => {
    fake.state.fail.set(LEAK + "/series", { status: 503, title: "Series are away" });
    fake.state.fail.set(LEAK + "/fix", { status: 503, title: "Fix is away" });
    await open(LEAK, "#note");
    await page.getByText("Fix is away").waitFor();
    await page.getByText("Series are away").waitFor();
    assert.ok((await page.locator(".table tbody tr").count()) > 3);
    fake.state.fail.clear();
    await page.getByRole("button", { name: "Try again" }).first().click();
    await page.locator(".fix-plot, .chart canvas").first().waitFor();
  });
});

describe("list", () => {
  test("filters_areTheAddress", async () => {
    await open("/findings", ".finding");
    await page.getByLabel("Driver", { exact: true }).fill("wcifs.sys");
    await page.keyboard.press("Enter");
    await page.waitForURL(/driver=wcifs\.sys/);
    await page.getByLabel("Tag", { exact: true }).fill("WCsc");
    await page.keyboard.press("Enter");
    await page.waitForURL(/tag=WCsc/);
    await page.waitForFunction(() => document.querySelectorAll(".finding").length === 1);
    await fake.asked((r) => r.path.endsWith("/findings") && r.search.includes("driver=wcifs.sys") && r.search.includes("tag=WCsc"));
    await page.getByText("Clear filters").first().click();
    await page.waitForFunction(() => location.search === "");
  });

  test("csv_isAskedOfTheServerWithTheFilters", async () => {
    await open("/findings?severity=critical", ".finding");
    const [file] = await Promise.all([page.waitForEvent("download"), button("Save this list as CSV").click()]);
    assert.equal(file.suggestedFilename(), "findings.csv");
    const asked = fake.state.requests.find((r) => r.headers.accept === "text/csv");
    assert.match(asked.search, /severity=critical/);
  });
});

describe("looks", () => {
  for (const theme of ["light", "dark"])
    for (const [name, path] of [["leak", LEAK], ["lone", LONE], ["mutes", "/findings?show=mutes"]])
      test(`${name}_hostile_${theme}_isCleanAndAccessible`, async () => {
        fake.state.mood = "hostile";
        mute({ tags: ["WCsc"] });
        await open(path, name === "mutes" ? ".table" : ".timeline", { theme });
        await page.settled();
        await page.picture(`finding-${name}-hostile-${theme}`);
        assert.deepEqual(await page.axe({ colours: theme === "dark" }), []);
        assert.deepEqual(page.faults(), []);
      });

  test("narrow_noSidewaysScroll_inAllStates", async () => {
    for (const mood of ["normal", "hostile"]) {
      fake.state.mood = mood;
      mute({ tags: ["WCsc"], reason: "x".repeat(300) });
      for (const path of [LEAK, LONE, "/findings", "/findings?show=mutes"]) {
        await open(path, ".page-head, .timeline", { width: 400, height: 900 });
        await page.settled();
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${mood} ${path} is ${over} px too wide`);
        await page.picture(`finding-400-${mood}-${path.replace(/\W+/g, "_")}`);
        await page.close();
      }
    }
    page = undefined;
  });

  test("printed_theDecisionFormAndLinksAreGone", async () => {
    await open(LEAK, ".timeline");
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator(".note-form").isVisible(), false);
    assert.equal(await page.locator(".api-link").first().isVisible(), false);
    assert.equal(await page.locator(".timeline").isVisible(), true);
  });

  test("printed_fromTheDarkTheme_isDarkOnWhite_withTheHeadsOfTables", async () => {
    await open(LEAK, ".timeline", { theme: "dark", width: 700 });
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    assert.deepEqual(await page.axe({ colours: true }), []);
    assert.equal(await page.getByRole("columnheader", { name: "Growth" }).isVisible(), true);
    assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll(".table-wrap")].filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0).length), 0, "nothing is cut at the edge");
  });
});
