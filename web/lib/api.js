// Talking to the server: JSON in, JSON out, problem documents as errors, a deadline for everything.

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

/** @type {Record<number, string>} */
const TITLES = {
  400: "The request was not understood", 401: "Not signed in", 403: "Not allowed",
  404: "Not found", 409: "Conflict", 412: "Changed by someone else meanwhile",
  413: "Too large", 429: "Too many requests", 500: "The server failed",
  502: "The server cannot be reached", 503: "The server is busy", 504: "The server did not answer in time",
};

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
    title: body.title || TITLES[response.status] || `The server answered ${response.status}`,
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
  const gate = new AbortController();
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
    if (!response.ok) {
      const problem = await problemOf(response);
      if (response.status === 401) dispatchEvent(new CustomEvent("poolfleet:signed-out", { detail: { expired: true } }));
      throw problem;
    }
    const text = await response.text();
    return { body: options.raw ? text : text ? JSON.parse(text) : null, headers: response.headers };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (options.signal?.aborted) throw error;
    if (late) throw new ApiError({ title: "The server did not answer in time", status: 504 });
    if (error instanceof SyntaxError) {
      throw new ApiError({ title: "The answer could not be read", detail: error.message });
    }
    throw new ApiError({
      title: "The server cannot be reached",
      detail: "Check the network, and that the server runs.",
    });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
}

/** @param {string} path @param {{ signal?: AbortSignal }} [options] */
export async function get(path, options) {
  return (await request(path, options)).body;
}

/** @param {{ token: string } | { name: string, password: string }} credential */
export async function signIn(credential) {
  return (await request("/session", { method: "POST", body: JSON.stringify(credential) })).body;
}

/** The session was ended here, on purpose. */
export function signedOut() {
  dispatchEvent(new CustomEvent("poolfleet:signed-out"));
}

export async function signOut() {
  await request("/session", { method: "DELETE" }).catch(() => undefined);
  signedOut();
}
