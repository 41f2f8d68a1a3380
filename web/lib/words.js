// Words for what the API says in codes. Pure.

/** @type {Record<string, string>} */
export const KIND = {
  leak: "Leak",
  level: "High level",
  plateau: "Grew and stayed",
  exhaustion: "Near its limit",
  handle_leak: "Handle leak",
  shift: "New version uses more",
};

/** @type {Record<string, string>} */
export const SEVERITY = { critical: "Critical", warning: "Warning", info: "Info", ok: "Healthy" };

/** @type {Record<string, string>} */
export const STATUS = {
  open: "Open", acknowledged: "Acknowledged", muted: "Muted", resolved: "Resolved",
};

/** @type {Record<string, string>} */
export const LIMIT = {
  nonpaged_limit: "nonpaged pool limit",
  paged_limit: "paged pool limit",
  commit: "commit limit",
  physical: "physical memory",
};

/** @type {Record<string, { title: string, severity: string }>} */
export const VERDICT = {
  nonpaged_exhausted: { title: "The nonpaged pool is exhausted", severity: "critical" },
  paged_exhausted: { title: "The paged pool is exhausted", severity: "critical" },
  session_pool_exhausted: { title: "A session\u2019s pool is exhausted", severity: "critical" },
  nonpaged_leak_suspect: { title: "A leak in the nonpaged pool is likely", severity: "warning" },
  paged_leak_suspect: { title: "A leak in the paged pool is likely", severity: "warning" },
  nothing_wrong: { title: "Nothing looks wrong", severity: "ok" },
  insufficient_data: { title: "Not enough to tell", severity: "info" },
};

/** @type {Record<string, string>} */
export const SOURCE = {
  builtin: "built-in tag list", imported: "imported tag list", driver_scan: "found in the driver file",
};

/** Where to look when a tag grows. @type {Record<string, string>} */
export const LOOK_AT = {
  process: "look for a process that holds handles or memory maps.",
  driver: "look at the driver: its version, and whether a newer one exists.",
  cache: "it is a cache and follows load; compare with busy peers first.",
  both: "look for a process that holds handles, then at the driver.",
  limits: "what the kernel says of this tag is incomplete; take it as a hint.",
};

const ATTRIBUTES = /** @type {Record<string, string>} */ ({
  "os.build": "OS build", "os.name": "Operating system", "os.arch": "Architecture",
  "hw.ram_bytes": "Memory", "hw.model": "Model", role: "Role",
});

/**
 * An attribute as a person says it: "driver/x.sys" is the driver "x.sys".
 * @param {string} attribute
 */
export function attributeName(attribute) {
  if (attribute.startsWith("driver/")) return attribute.slice(7);
  return ATTRIBUTES[attribute] ?? attribute;
}

/** @param {Cause} cause */
export function causeCounts(cause) {
  const n = (/** @type {number} */ v) => v.toLocaleString("en-US");
  return (
    `${n(cause.affected_with)} of ${n(cause.affected)} affected have it, ` +
    `${n(cause.unaffected_with)} of ${n(cause.unaffected)} others`
  );
}
