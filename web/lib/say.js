// What happened, for those who do not see it: the shell has a place that screen readers watch.

/** @param {string} text */
export function say(text) {
  dispatchEvent(new CustomEvent("poolfleet:say", { detail: text }));
}
