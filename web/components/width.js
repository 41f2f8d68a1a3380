// The width an element has, followed: pictures in SVG are drawn for it.
import { useEffect, useState } from "../lib/ui.js";

/** @param {{ current: Element | null }} ref @param {number} [first] */
export function useWidth(ref, first = 800) {
  const [width, setWidth] = useState(first);
  useEffect(() => {
    const el = ref.current;
    if (!el) return undefined;
    const watcher = new ResizeObserver(() => setWidth(Math.max(240, Math.floor(el.clientWidth))));
    watcher.observe(el);
    return () => watcher.disconnect();
  }, []);
  return width;
}
