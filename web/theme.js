// Runs before the first paint: a theme chosen by hand wins over the system's. Not a module, since
// modules run too late and the page would flash.
(() => {
  try {
    const theme = localStorage.getItem("poolfleet.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be denied: then the system's theme holds.
  }
})();
