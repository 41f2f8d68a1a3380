// The tab's name.
import { useEffect } from "./ui.js";

/** @param {string} title */
export function useTitle(title) {
  useEffect(() => {
    document.title = title ? `${title} \u00b7 Poolfleet` : "Poolfleet";
  }, [title]);
}
