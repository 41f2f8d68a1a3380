// SPDX-License-Identifier: Apache-2.0
// What a file of screen tests stands on: importing it gives the file one stand-in server and one browser,
// both as new for each test. Tests that need a real server, or another stand-in, set up their own.
import { after, afterEach, before, beforeEach } from "node:test";
import { openBrowser } from "./browser.mjs";
import { startFake } from "./fake_api.mjs";

export let fake, browser;

before(async () => {
  fake = await startFake();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await fake?.close();
});
beforeEach(() => fake.reset());
afterEach(() => browser.closePages());
