// The fleet as the screens use it: read as columns, kept fresh, with the hosts' identities read once.
import { useEffect, useMemo, useState } from "./ui.js";
import { get } from "./api.js";
import { useResource } from "./resource.js";
import { search } from "./router.js";
import { COLUMNS, decodeFleet, nameRank } from "./fleet.js";

/** Identities by key: a key is one host for ever. @type {Map<number, string>} */
const known = new Map();
/** @type {Promise<void> | null} */
let reading = null;
addEventListener("poolfleet:signed-out", () => known.clear());

async function readIds() {
  const data = await get("/fleet-map" + search({ columns: "key,id" }));
  let key = 0;
  data.columns.key.forEach((/** @type {number | null} */ step, /** @type {number} */ i) => {
    if (step !== null) known.set((key += step), data.columns.id[i]);
  });
}

/** @param {import("./fleet.js").Fleet} f @returns {import("./fleet.js").Fleet} f, with the identities that are known */
function join(f) {
  for (let i = 0; i < f.count; i++) if (f.ids[i] === null) f.ids[i] = known.get(f.key[i]) ?? null;
  return f;
}

/**
 * @param {{ tag?: string, pool?: string, driver?: string }} [more] columns beside the usual
 * @returns {{ resource: Resource<any>, fleet: import("./fleet.js").Fleet | null, ids: number }} ids grows when identities came
 */
export function useFleet(more = {}) {
  const { tag, pool, driver } = more;
  const columns = [...COLUMNS, ...(tag ? ["tag_mib", "tag_score"] : []), ...(driver ? ["driver"] : [])].join(",");
  const resource = /** @type {Resource<any>} */ (useResource("/fleet-map" + search({ tag: tag || null, pool: tag ? pool : null, driver: driver || null, columns }), { every: 60000, keep: true }));
  const fleet = useMemo(() => (resource.data ? join(decodeFleet(resource.data)) : null), [resource.data]);
  const [ids, came] = useState(0);
  useEffect(() => {
    if (!fleet) return undefined;
    let gone = false;
    // The first search and sort find these made.
    const warm = setTimeout(() => nameRank(fleet), 50);
    if (fleet.ids.includes(null)) {
      // After the first picture: identities are half of the bytes and nobody sees them.
      const begin = setTimeout(() => {
        reading ??= readIds().finally(() => (reading = null));
        reading.then(() => {
          if (gone) return;
          join(fleet);
          came((n) => n + 1);
        }, () => undefined);
      }, 100);
      return () => {
        gone = true;
        clearTimeout(warm);
        clearTimeout(begin);
      };
    }
    return () => clearTimeout(warm);
  }, [fleet]);
  return { resource, fleet, ids };
}
