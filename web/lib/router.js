// The address is the state. Pure parsing and writing of addresses; main.js listens and navigates.

/** @typedef {{ view: string, params: Record<string, string>, query: URLSearchParams, path: string }} Route */

const ROUTES = [
  ["today", "/"],
  ["tags", "/tags"],
  ["tag", "/tags/:tag"],
  ["map", "/map"],
  ["explain", "/explain"],
  ["hosts", "/hosts"],
  ["host", "/hosts/:id"],
  ["findings", "/findings"],
  ["finding", "/findings/:id"],
  ["drivers", "/drivers"],
  ["driver", "/drivers/:name"],
  ["diagnose", "/diagnose"],
  ["admin", "/admin"],
  ["admin", "/admin/:tab"],
  ["account", "/account"],
].map(([view, pattern]) => ({ view, parts: pattern.split("/").slice(1) }));

/** A part that is not valid percent-encoding stands for itself. @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * @param {string} pathname
 * @param {string} [search]
 * @returns {Route}
 */
export function parseRoute(pathname, search = "") {
  const path = pathname.length > 1 ? pathname.replace(/\/+$/, "") || "/" : pathname;
  const parts = path.split("/").slice(1);
  const query = new URLSearchParams(search);
  for (const route of ROUTES) {
    if (route.parts.length !== parts.length) continue;
    /** @type {Record<string, string>} */
    const params = {};
    const fits = route.parts.every((want, i) => {
      if (!want.startsWith(":")) return want === parts[i];
      params[want.slice(1)] = decode(parts[i]);
      return parts[i] !== "";
    });
    if (fits) return { view: route.view, params, query, path };
  }
  return { view: "missing", params: {}, query, path };
}

/**
 * An address of the page or the API: parts are percent-encoded, empty query values left out.
 * @param {string[]} parts
 * @param {Record<string, string | number | boolean | null | undefined>} [query]
 */
export function href(parts, query) {
  const path = "/" + parts.map((p) => encodeURIComponent(p)).join("/");
  return path + search(query);
}

/** @param {Record<string, string | number | boolean | null | undefined>} [query] */
export function search(query) {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined && value !== "" && value !== false) {
      out.set(key, String(value));
    }
  }
  const text = out.toString();
  return text ? "?" + text : "";
}

export const tagHref = (/** @type {string} */ tag, /** @type {string} */ pool = "") =>
  href(["tags", tag], { pool });
export const hostHref = (/** @type {string} */ id) => href(["hosts", id]);
export const findingHref = (/** @type {string} */ id) => href(["findings", id]);
export const driverHref = (/** @type {string} */ name) => href(["drivers", name]);

/**
 * Goes to an address inside the page. With `replace`, no new entry in the history.
 * @param {string} to
 * @param {{ replace?: boolean, keepScroll?: boolean }} [options]
 */
export function navigate(to, options = {}) {
  const state = { keepScroll: options.keepScroll ?? false };
  if (options.replace) history.replaceState(state, "", to);
  else history.pushState(state, "", to);
  dispatchEvent(new CustomEvent("poolfleet:navigate", { detail: state }));
}

/**
 * The present address with some query values changed; null takes one away.
 * @param {Record<string, string | number | null>} changes
 * @param {{ replace?: boolean }} [options]
 */
export function setQuery(changes, options = { replace: true }) {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(key);
    else query.set(key, String(value));
  }
  const text = query.toString();
  navigate(location.pathname + (text ? "?" + text : ""), { ...options, keepScroll: true });
}
