// When a person last looked: what has happened since is news to them. A visit goes on while the page is
// looked at again within half an hour; a day is the answer for who was never here.

const KEY = "poolfleet.looked";
export const VISIT_MS = 30 * 60000;
export const DAY_MS = 86400000;

/**
 * @param {{ getItem(key: string): string | null, setItem(key: string, value: string): void }} storage
 * @param {number} now ms
 * @returns {{ since: number | null }} ms; null: never here before
 */
export function visit(storage, now) {
  let kept = null;
  try {
    kept = JSON.parse(storage.getItem(KEY) ?? "null");
  } catch {
    // Another's, or denied: as never here.
  }
  const seen = typeof kept?.at === "number" && kept.at <= now + VISIT_MS ? kept : null;
  const since = seen === null ? null : now - seen.at < VISIT_MS ? seen.since ?? null : seen.at;
  keep(storage, { at: now, since });
  return { since };
}

/** All that is there now has been seen. @param {{ setItem(key: string, value: string): void }} storage @param {number} now */
export function markSeen(storage, now) {
  keep(storage, { at: now, since: now });
}

/** @param {{ setItem(key: string, value: string): void }} storage @param {any} value */
function keep(storage, value) {
  try {
    storage.setItem(KEY, JSON.stringify(value));
  } catch {
    // Not kept: storage is denied.
  }
}
