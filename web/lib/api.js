// Talking to the server: JSON in, JSON out, problem documents as errors, a deadline for everything.

import { en } from "./en.js";
import { link } from "./link.js";

const BASE = "/api/v1";
const TIMEOUT_MS = 30000;

/** An answer that is not a success, or none at all (status 0). */
export class ApiError extends Error {
  /** @param {Partial<Problem> & { title: string, retry_after?: number | null }} problem */
  constructor(problem) {
    super(problem.title);
    this.name = "ApiError";
    this.title = problem.title;
    this.status = problem.status ?? 0;
    this.type = problem.type ?? "";
    this.detail = problem.detail ?? null;
    this.field = problem.field ?? null;
    this.hint = problem.hint ?? null;
    this.request_id = problem.request_id ?? null;
    this.retry_after = problem.retry_after ?? null;
  }
}

const t = en.states;
/** How often somebody signed in here: an answer may be older than the session that stands now. */
let signIns = 0;
/** @type {Record<number, string>} */
const TITLES = t.titles;

/** @param {Response} response */
async function problemOf(response) {
  const text = await response.text().catch(() => "");
  /** @type {Partial<Problem>} */
  let body = {};
  try {
    const parsed = JSON.parse(text);
    if (parsed && typeof parsed === "object") body = parsed;
  } catch {
    // A proxy's own page: its text is of no use here.
  }
  const wait = Number(response.headers.get("retry-after"));
  return new ApiError({
    ...body,
    status: response.status,
    title: body.title || TITLES[response.status] || t.answered(response.status),
    request_id: body.request_id ?? response.headers.get("x-request-id"),
    retry_after: Number.isFinite(wait) && wait > 0 ? wait : null,
  });
}

/**
 * One request. Resolves with the parsed body (null when empty) and the headers.
 * @param {string} path below /api/v1
 * @param {{ method?: string, body?: string, type?: string, accept?: string, signal?: AbortSignal,
 *           headers?: Record<string, string>, timeout?: number, raw?: boolean }} [options]  raw: the body as text
 * @returns {Promise<{ body: any, headers: Headers }>}
 */
export async function request(path, options = {}) {
  const era = signIns;
  try {
    return await ask(path, options);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401 || options.signal?.aborted) throw error;
    // Refused for want of a session that has begun meanwhile: nothing was done yet, so it is asked again.
    if (era !== signIns) return request(path, options);
    if (path !== "/session" || options.method !== "POST") dispatchEvent(new CustomEvent("poolfleet:signed-out", { detail: { expired: true } }));
    throw error;
  }
}

/** @type {typeof request} */
async function ask(path, options = {}) {
  const gate = new AbortController();
  const ended = link.begin();
  /** @type {boolean | null} */
  let answered = null;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    gate.abort();
  }, options.timeout ?? TIMEOUT_MS);
  const abort = () => gate.abort();
  options.signal?.addEventListener("abort", abort);
  if (options.signal?.aborted) gate.abort();

  try {
    /** @type {Record<string, string>} */
    const headers = { accept: options.accept ?? "application/json", ...options.headers };
    if (options.body !== undefined) headers["content-type"] = options.type ?? "application/json";
    // The cookie alone must not be enough to change something: another site cannot set a header.
    if (options.method && options.method !== "GET") headers["x-poolfleet"] = "1";
    const response = await fetch(BASE + path, {
      method: options.method ?? "GET",
      headers,
      body: options.body,
      credentials: "same-origin",
      cache: "no-store",
      signal: gate.signal,
    });
    // A proxy that cannot reach the server answers in its place.
    answered = response.status !== 502 && response.status !== 504;
    if (!response.ok) throw await problemOf(response);
    const text = await response.text();
    return { body: options.raw ? text : text ? JSON.parse(text) : null, headers: response.headers };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (options.signal?.aborted) throw error;
    answered ??= false;
    if (late) throw new ApiError({ title: t.late, status: 504 });
    if (error instanceof SyntaxError) {
      throw new ApiError({ title: t.unreadable, detail: error.message });
    }
    throw new ApiError({
      title: t.unreachable,
      detail: t.unreachableDetail,
    });
  } finally {
    clearTimeout(timer);
    ended(answered);
    options.signal?.removeEventListener("abort", abort);
  }
}

/** @param {string} path @param {{ signal?: AbortSignal }} [options] */
export async function get(path, options) {
  return (await request(path, options)).body;
}

/** @param {{ token: string } | { name: string, password: string }} credential */
export async function signIn(credential) {
  const session = (await request("/session", { method: "POST", body: JSON.stringify(credential) })).body;
  signIns++;
  return session;
}

/** The session was ended here, on purpose. */
export function signedOut() {
  dispatchEvent(new CustomEvent("poolfleet:signed-out"));
}

export async function signOut() {
  await request("/session", { method: "DELETE" }).catch(() => undefined);
  signedOut();
}
