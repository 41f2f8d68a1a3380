import test from "node:test";
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";

const WEB = new URL("../", import.meta.url);
const files = ["main.js", ...["components", "views"].flatMap((folder) => readdirSync(new URL(folder + "/", WEB), { recursive: true }).filter((f) => f.endsWith(".js")).map((f) => `${folder}/${f}`))];

/** The pieces of every html`...` that are text or attributes, without what stands in ${}. @param {string} source */
export function literals(source) {
  /** @type {string[]} */
  const found = [];
  const clean = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  /** Reads a template from behind its first backtick; returns where it ends. @param {number} at @param {boolean} isHtml */
  const template = (at, isHtml) => {
    let text = "";
    for (; at < clean.length && clean[at] !== "`"; at++) {
      if (clean[at] === "\\") at++;
      else if (clean[at] === "$" && clean[at + 1] === "{") {
        at = code(at + 2);
        text += "\u0000";
      } else text += clean[at];
    }
    if (isHtml) {
      for (const [, value] of text.matchAll(/\b(?:title|label|aria-label|placeholder|caption|alt)="([^"\u0000]*)"/g)) found.push(value);
      found.push(...text.replace(/<[^>]*>/g, "\u0001").split(/[\u0000\u0001]/).map((t) => t.replace(/<[\s\S]*$|^[^<]*>/g, "")));
    }
    return at;
  };
  /** Reads code up to the brace that closes it. @param {number} at */
  const code = (at) => {
    for (let depth = 0; at < clean.length; at++) {
      const c = clean[at];
      if (c === '"' || c === "'") for (at++; at < clean.length && clean[at] !== c; at++) { if (clean[at] === "\\") at++; }
      else if (c === "`") at = template(at + 1, clean.slice(0, at).endsWith("html"));
      else if (c === "/" && /[(,=:[!&|?{};\n]\s*$/.test(clean.slice(0, at)) && clean[at + 1] !== "/") for (at++; at < clean.length && clean[at] !== "/"; at++) { if (clean[at] === "\\") at++; else if (clean[at] === "[") while (clean[++at] !== "]") if (clean[at] === "\\") at++; }
      else if (c === "{") depth++;
      else if (c === "}" && depth-- === 0) return at;
    }
    return at;
  };
  code(0);
  return found.map((t) => t.trim()).filter((t) => /[A-Za-z]{2,}/.test(t.replace(/&#?\w+;/g, "")));
}

/** Commands that a person types are no text to translate. */
const COMMANDS = /^(!\w+|poolfleetd .*|--|POOLFLEET_)$/;

test("literals_ofATemplate_areTextAndLabels", () => {
  assert.deepEqual(new Set(literals('html`<p title="A title" class="x">Hello ${name}, you</p>${a ? html`<b>inner</b>` : "x"}`')), new Set(["A title", "Hello", ", you", "inner"]));
  assert.deepEqual(literals("html`<p>${t.text}</p>`; const s = `no markup`;\n// html`<p>Not this</p>`"), []);
});

for (const file of files)
  test(`english_${file}_isInTheFile`, () => {
    const bare = literals(readFileSync(new URL(file, WEB), "utf8")).filter((t) => !COMMANDS.test(t));
    assert.deepEqual(bare, []);
  });
