// The width an element has, followed: pictures in SVG are drawn for it. And whether it is a phone's.
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

const PHONE = matchMedia("(width < 640px)");

/** As the style sheets have it. */
export function usePhone() {
  const [phone, setPhone] = useState(PHONE.matches);
  useEffect(() => {
    const look = () => setPhone(PHONE.matches);
    PHONE.addEventListener("change", look);
    return () => PHONE.removeEventListener("change", look);
  }, []);
  return phone;
}
