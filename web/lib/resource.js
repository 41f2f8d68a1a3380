// A view's data: one address of the API, kept fresh. Old data stays on screen while new data is
// asked for or cannot be had; the caller shows its age.
import { useEffect, useLayoutEffect, useRef, useState } from "./ui.js";
import { get } from "./api.js";
import { Poller } from "./poller.js";

const CACHE_MAX = 60;
/** @type {Map<string, { data: any, at: number }>} */
const cache = new Map();

/** @param {string} path @param {any} data */
function remember(path, data) {
  cache.delete(path);
  cache.set(path, { data, at: Date.now() });
  if (cache.size > CACHE_MAX) cache.delete(/** @type {string} */ (cache.keys().next().value));
}

/** Forgets everything read: at sign-out, and after a change. */
export function forgetAll() {
  cache.clear();
}

/**
 * @template T
 * @param {string | null} path below /api/v1; null: nothing is wanted yet
 * @param {{ every?: number, keep?: boolean }} [options] every: ms between refreshes, 0 is once;
 *        keep: show the former address's data while the new one loads
 * @returns {Resource<T>}
 */
export function useResource(path, options = {}) {
  const { every = 60000, keep = false } = options;
  const first = path === null ? undefined : cache.get(path);
  /** @type {{ path: string | null, data: T | null, error: any, loading: boolean, at: number | null, of: string | null }} */
  const initial = {
    path, data: first?.data ?? null, error: null, loading: path !== null, at: first?.at ?? null,
    of: first ? path : null,
  };
  const [state, setState] = useState(initial);
  const poller = useRef(/** @type {Poller<T> | null} */ (null));

  const asked = useRef(false);

  // What is not known is asked for before the frame is drawn, so that the server works meanwhile; what
  // is known is drawn first and asked for again after that.
  useLayoutEffect(() => {
    if (path === null) return undefined;
    const held = cache.get(path);
    setState((old) => {
      // As it was first drawn: nothing to draw again.
      if (old.path === path && old.loading && !old.error && old.data === (held?.data ?? null)) return old;
      if (held) return { path, data: held.data, error: null, loading: true, at: held.at, of: path };
      if (keep && old.data !== null) return { ...old, path, error: null, loading: true };
      return { path, data: null, error: null, loading: true, at: null, of: null };
    });
    const p = new Poller({
      load: (signal) => get(path, { signal }),
      onStart: () => setState((old) => (old.loading ? old : { ...old, loading: true })),
      onData: (data) => {
        remember(path, data);
        setState({ path, data, error: null, loading: false, at: Date.now(), of: path });
      },
      onError: (error) => setState((old) => ({ ...old, error, loading: false })),
      interval: every,
      hidden: () => document.hidden,
    });
    poller.current = p;
    const seen = () => p.visibility();
    const again = () => void p.run();
    document.addEventListener("visibilitychange", seen);
    addEventListener("poolfleet:signed-in", again);
    addEventListener("poolfleet:retry", again);
    asked.current = !held;
    if (!held) void p.run();
    return () => {
      document.removeEventListener("visibilitychange", seen);
      removeEventListener("poolfleet:signed-in", again);
      removeEventListener("poolfleet:retry", again);
      p.stop();
      poller.current = null;
    };
  }, [path, every]);
  useEffect(() => {
    if (!asked.current) void poller.current?.run();
  }, [path, every]);

  // Before the effect runs, the state still belongs to the former address.
  const current = state.path === path ? state : { ...initial, ...(keep ? { data: state.data, at: state.at, of: state.of } : {}) };
  return {
    data: current.data,
    error: current.error,
    loading: current.loading,
    pending: current.data !== null && current.of !== path,
    at: current.at,
    reload: () => void poller.current?.run(),
  };
}
