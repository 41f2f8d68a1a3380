import test from "node:test";
import assert from "node:assert/strict";
import { findingHref, href, parseRoute, search, tagHref } from "../lib/router.js";

test("tagHref_anyTag_comesBackTheSame", () => {
  for (const tag of ["NtFC", "Ddk ", " MPP", "\\x01abc", "a/b?", "%41%", "....", "\\xff\\x00#&"]) {
    const url = new URL("http://x" + tagHref(tag, "paged"));
    const route = parseRoute(url.pathname, url.search);
    assert.equal(route.view, "tag");
    assert.equal(route.params.tag, tag);
    assert.equal(route.query.get("pool"), "paged");
  }
});

test("tagHref_blank_isPercentEncoded", () => {
  assert.equal(tagHref("Ddk "), "/tags/Ddk%20");
  assert.equal(tagHref("\\x01abc"), "/tags/%5Cx01abc");
});

test("parseRoute_everyScreen_hasAnAddress", () => {
  for (const [path, view] of [
    ["/", "today"], ["/tags", "tags"], ["/tags/", "tags"], ["/hosts", "hosts"], ["/hosts/1", "host"], ["/findings", "findings"],
    ["/findings/f-1", "finding"], ["/drivers", "drivers"], ["/drivers/a.sys", "driver"], ["/diagnose", "diagnose"], ["/nothing", "missing"],
    ["/hosts/1/2", "missing"],
  ]) assert.equal(parseRoute(path).view, view, path);
});

test("parseRoute_brokenEncoding_standsForItself", () => {
  assert.equal(parseRoute("/tags/%zz12").params.tag, "%zz12");
});

test("search_emptyValues_areLeftOut", () => {
  assert.equal(search({ q: "", a: null, b: undefined, c: false, d: 0, e: "x y" }), "?d=0&e=x+y");
  assert.equal(search({}), "");
  assert.equal(href(["hosts", "a/b"], { at: "2026-11-21T00:00:00Z" }), "/hosts/a%2Fb?at=2026-11-21T00%3A00%3A00Z");
  assert.equal(findingHref("f-1"), "/findings/f-1");
});
