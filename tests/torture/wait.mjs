// SPDX-License-Identifier: Apache-2.0
export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Waits until condition() gives something truthy; throws after the deadline. */
export async function until(condition, what, deadlineMs = 30000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await pause(10);
  }
}
