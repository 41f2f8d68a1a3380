// A bar of links that is wider than the window shows the one that is current.
import { useLayoutEffect } from "./ui.js";

/** @param {{ current: HTMLElement | null }} bar @param {string} current what it depends on */
export function useCurrentInSight(bar, current) {
  useLayoutEffect(() => {
    const on = bar.current?.querySelector("[aria-current]");
    if (!bar.current || !on) return;
    const inside = bar.current.getBoundingClientRect();
    const link = on.getBoundingClientRect();
    bar.current.scrollLeft += link.left + link.width / 2 - inside.left - inside.width / 2;
  }, [current]);
}
