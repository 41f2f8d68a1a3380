// Long lists: pages are fetched one after another and joined, as the reader asks for more.
import { useEffect, useRef, useState } from "./ui.js";
import { get } from "./api.js";
import { useResource } from "./resource.js";

/**
 * @param {string} path with its filters; the cursor is added here
 * @returns {{ resource: Resource<List<any>>, items: any[], more: (() => void) | null, busy: boolean, error: any }}
 */
export function useList(path) {
  const resource = /** @type {Resource<List<any>>} */ (useResource(path, { every: 60000, keep: true }));
  const empty = { path, items: /** @type {any[]} */ ([]), cursor: /** @type {string | null | undefined} */ (undefined) };
  const [rest, setRest] = useState(empty);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const now = useRef(path);
  now.current = path;
  useEffect(() => setRest(empty), [path]);

  const own = rest.path === path ? rest : empty;
  const cursor = own.cursor === undefined ? resource.data?.next_cursor ?? null : own.cursor;
  const more = async () => {
    if (busy || !cursor) return;
    setBusy(true);
    setError(null);
    try {
      const page = await get(path + (path.includes("?") ? "&" : "?") + "cursor=" + encodeURIComponent(cursor));
      if (now.current === path) {
        setRest((old) => ({
          path,
          items: (old.path === path ? old.items : []).concat(page.items),
          cursor: page.next_cursor,
        }));
      }
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };
  return {
    resource,
    items: (resource.data?.items ?? []).concat(own.items),
    more: cursor && !resource.pending ? () => void more() : null,
    busy,
    error,
  };
}
