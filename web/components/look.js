// Canvases are painted with the theme's colours: again with another theme, and for paper, which has the light one.

/** @param {() => void} again @returns {() => void} ends it */
export function onLook(again) {
  const medias = [matchMedia("print"), matchMedia("(prefers-color-scheme: dark)")];
  medias.forEach((m) => m.addEventListener("change", again));
  addEventListener("poolfleet:theme", again);
  return () => {
    medias.forEach((m) => m.removeEventListener("change", again));
    removeEventListener("poolfleet:theme", again);
  };
}
