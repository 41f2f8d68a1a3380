import test from "node:test";
import assert from "node:assert/strict";
import { cut, listed, plural, visible } from "../lib/text.js";

test("visible_controls_areNamed", () => {
  assert.equal(visible("a\u0000b\u001b[31m\n"), "a\u2039U+0000\u203ab\u2039U+001B\u203a[31m\u2039U+000A\u203a");
  assert.equal(visible("\u007f\u0085"), "\u2039U+007F\u203a\u2039U+0085\u203a");
});

test("visible_reorderingAndUnseen_areNamed", () => {
  assert.equal(visible("\u202egnp.exe"), "\u2039U+202E\u203agnp.exe");
  assert.equal(visible("a\u200bb\ufeff"), "a\u2039U+200B\u203ab\u2039U+FEFF\u203a");
  assert.equal(visible("x\u{e0041}"), "x\u2039U+E0041\u203a");
  assert.equal(visible("\u2066x\u2069"), "\u2039U+2066\u203ax\u2039U+2069\u203a");
});

test("visible_ordinaryText_staysAsItIs", () => {
  for (const s of ["FS01", "Schlo\u00df \u6f22\u5b57 \u05d0\u05d1", "<b>", "\u{1f600}", ""]) assert.equal(visible(s), s);
  assert.equal(visible(null), "");
  assert.equal(visible(undefined), "");
});

test("visible_loneSurrogates_areReplaced", () => {
  assert.equal(visible("a\ud800b\udc00"), "a\ufffdb\ufffd");
});

test("cut_longText_keepsWholeCharacters", () => {
  assert.equal(cut("abcdef", 4), "abc\u2026");
  assert.equal(cut("abcd", 4), "abcd");
  assert.equal(cut("\u{1f600}\u{1f600}\u{1f600}", 2), "\u{1f600}\u2026");
});

test("plural_and_listed_readWell", () => {
  assert.equal(plural(1, "host"), "1 host");
  assert.equal(plural(1200, "host"), "1,200 hosts");
  assert.equal(plural(2, "finding needs", "findings need"), "2 findings need");
  assert.equal(listed([]), "");
  assert.equal(listed(["a", "b", "c"]), "a, b and c");
});
