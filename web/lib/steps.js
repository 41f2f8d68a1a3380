// A next step is a command, most with its purpose behind it. Pure.

/**
 * "lmvm wcifs   (version of the driver)" is the command and why. The command alone is copied.
 * @param {string} step
 * @returns {{ command: string, why: string }}
 */
export function splitStep(step) {
  const m = /^(.*?\S)\s{2,}\((.*)\)$/.exec(step) ?? /^(.*?\S)\s+[\u2014\u2013]\s+(.*)$/.exec(step);
  return m ? { command: m[1], why: m[2] } : { command: step, why: "" };
}
