// Start of the page: session, address to view, error boundary.
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./lib/ui.js";
import { ApiError, get, signIn } from "./lib/api.js";
import { en } from "./lib/en.js";
import { forgetAll } from "./lib/resource.js";
import { navigate, parseRoute } from "./lib/router.js";
import { Shell } from "./components/shell.js";
import { Empty, ErrorPanel, Skeleton } from "./components/states.js";

/** One file per screen, fetched when first shown. @type {Record<string, (() => Promise<any>) | undefined>} */
const VIEWS = {
  today: () => import("./views/today.js"),
  findings: () => import("./views/findings.js"),
  finding: () => import("./views/finding.js"),
  tags: () => import("./views/tags.js"),
  tag: () => import("./views/tag.js"),
  map: () => import("./views/map.js"),
  explain: () => import("./views/explain.js"),
  hosts: () => import("./views/hosts.js"),
  host: () => import("./views/host.js"),
  drivers: () => import("./views/drivers.js"),
  driver: () => import("./views/driver.js"),
  diagnose: () => import("./views/diagnose.js"),
  admin: () => import("./views/admin.js"),
  account: () => import("./views/account.js"),
};
const t = en.shell;
/** @type {Record<string, any>} */
const loaded = {};

/** After a move, the new view's heading gets the focus, so that a screen reader reads it. */
let headingWanted = false;

/** The link of the first start: /setup#SECRET, taken out of the address too. */
function takeSetup() {
  if (location.pathname !== "/setup" || location.hash.length < 2) return null;
  const link = location.hash.slice(1);
  history.replaceState(null, "", "/");
  return link;
}

/** A token in the address is taken out of it before anything else happens. */
function takeToken() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return found[1];
  }
}

/** @param {{ children?: any }} props */
function Boundary({ children }) {
  const [error, reset] = useErrorBoundary((e) => console.error(e));
  useEffect(() => {
    if (!error) return undefined;
    addEventListener("poolfleet:navigate", reset);
    return () => removeEventListener("poolfleet:navigate", reset);
  }, [error]);
  if (!error) return children;
  return html`<h1 tabindex="-1">${t.failed}</h1>
    <${ErrorPanel} error=${{ title: t.failedTitle, detail: String(error?.message ?? error) }} retry=${reset} />`;
}

/** @param {{ route: import("./lib/router.js").Route, session: Session }} props */
function View({ route, session }) {
  const [, redraw] = useState(0);
  const [error, setError] = useState(/** @type {any} */ (null));
  const known = VIEWS[route.view];
  const View = loaded[route.view];

  const load = () => {
    setError(null);
    known?.().then(
      (module) => {
        loaded[route.view] = module.default;
        redraw((n) => n + 1);
      },
      () => setError(new ApiError({ title: t.notLoaded })),
    );
  };
  useEffect(() => {
    if (known && !View) load();
  }, [route.view]);

  useEffect(() => {
    if (!headingWanted || (known && !View)) return;
    headingWanted = false;
    /** @type {HTMLElement | null} */ (document.querySelector("main h1"))?.focus({ preventScroll: true });
  }, [route.path, View]);

  if (!known) {
    return html`<div class="page"><h1 tabindex="-1">${t.missing}</h1>
      <${Empty} title=${t.missingTitle}><a href="/">${t.toToday}</a><//></div>`;
  }
  if (error) return html`<${ErrorPanel} error=${error} retry=${load} />`;
  if (!View) return html`<${Skeleton} />`;
  return html`<${View} key=${route.view} route=${route} session=${session} />`;
}

function App() {
  const [route, setRoute] = useState(parseRoute(location.pathname, location.search));
  const [session, setSession] = useState(/** @type {Session | null | undefined} */ (undefined));
  const [failure, setFailure] = useState(/** @type {any} */ (null));
  const shown = useRef(location.pathname + location.search);
  const [SignIn, setSignIn] = useState(/** @type {any} */ (null));
  const [setup, setSetup] = useState(/** @type {{ link: string, View: any } | null} */ (null));
  /** The session ended by itself: what is on the screen stays, with what was typed into it. */
  const [Expired, setExpired] = useState(/** @type {any} */ (null));

  const start = () => {
    setFailure(null);
    const link = takeSetup();
    if (link) {
      void import("./views/setup.js").then((m) => setSetup({ link, View: m.default }));
      return;
    }
    const token = takeToken();
    const asked = token ? signIn({ token }) : get("/session");
    asked.then(setSession, (error) => {
      if (error.status === 401 || error.status === 400 || token) {
        setSession(null);
        if (token) setFailure(error);
      } else {
        setFailure(error);
      }
    });
  };

  useEffect(() => {
    const moved = (/** @type {any} */ event) => {
      const here = location.pathname + location.search;
      if (here === shown.current) return;
      const samePath = shown.current.split("?")[0] === location.pathname;
      shown.current = here;
      headingWanted = !samePath;
      if (event.type !== "popstate" && !event.detail?.keepScroll) scrollTo(0, 0);
      setRoute(parseRoute(location.pathname, location.search));
    };
    const hash = () => {
      if (/^#token=/.test(location.hash)) start();
    };
    const click = (/** @type {MouseEvent} */ event) => {
      if (event.defaultPrevented || event.button !== 0) return;
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      const link = /** @type {Element} */ (event.target).closest?.("a[href]");
      const to = link?.getAttribute("href") ?? "";
      if (!link || !to.startsWith("/") || to.startsWith("/api/") || link.hasAttribute("download")) return;
      if (link.getAttribute("target")) return;
      event.preventDefault();
      navigate(to);
    };
    const out = (/** @type {any} */ event) => {
      if (event.detail?.expired) {
        if (current.current) void import("./components/expired.js").then((m) => current.current && setExpired(() => m.Expired));
        return;
      }
      forgetAll();
      setExpired(null);
      setSession((old) => (old === undefined ? old : null));
    };
    addEventListener("popstate", moved);
    addEventListener("poolfleet:navigate", moved);
    addEventListener("hashchange", hash);
    addEventListener("poolfleet:signed-out", out);
    document.addEventListener("click", click);
    start();
    return () => undefined;
  }, []);

  const current = useRef(session);
  current.current = session;
  const begin = (/** @type {Session} */ s) => {
    setFailure(null);
    setSetup(null);
    setExpired(null);
    // Another person must not see what the one before had on the screen.
    if (session && (session.name !== s.name || session.role !== s.role || session.kind !== s.kind)) forgetAll();
    setSession(s);
    dispatchEvent(new CustomEvent("poolfleet:signed-in"));
  };

  useEffect(() => {
    if (session === null) import("./views/signin.js").then((m) => setSignIn(() => m.default));
  }, [session]);

  if (setup) return html`<${setup.View} link=${setup.link} onSession=${(/** @type {Session} */ s) => {
    navigate("/");
    begin(s);
  }} />`;
  if (session === undefined) {
    return failure
      ? html`<div class="alone"><${ErrorPanel} error=${failure} retry=${start} /></div>`
      : html`<div class="alone"></div>`;
  }
  if (session === null) {
    return SignIn
      ? html`<${SignIn} failure=${failure} onSession=${begin} />`
      : html`<div class="alone"></div>`;
  }
  return html`<${Shell} key=${`${session.kind} ${session.role} ${session.name}`} session=${session} view=${route.view}>
      <${Boundary}><${View} route=${route} session=${session} /><//>
    <//>
    ${Expired ? html`<${Expired} session=${session} onSession=${begin} />` : null}`;
}

const root = document.getElementById("app");
if (root) render(html`<${App} />`, root);
