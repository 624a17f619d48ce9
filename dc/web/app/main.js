// The page begins here: which address shows what, and drawing it.
import { html, render, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { useCell } from "./cell.js";
import { askToSignIn, load, may, me, SIGN_IN } from "./me.js";
import { Loading, Page, Trouble } from "./parts.js";
import { find, go, page, place } from "./router.js";
import { Shell } from "./shell.js";

page("/", () => import("./pages/overview.js"));
page("/jobs", () => import("./pages/jobs.js"));
page("/jobs/{job}", () => import("./pages/job.js"));
page("/jobs/{job}/tasks/{task}", () => import("./pages/task.js"));
page("/workers", () => import("./pages/workers.js"));
page("/workers/add", () => import("./pages/add.js"));
page("/workers/{name}", () => import("./pages/worker.js"));
page("/submit", () => import("./pages/submit.js"));
page("/plugins", () => import("./pages/plugins.js"));
page("/events", () => import("./pages/events.js"));
page("/settings", () => import("./pages/settings.js"));
page("/access", () => import("./pages/access.js"));
page("/access/audit", () => import("./pages/audit.js"));
page("/sign-in", () => import("./pages/sign_in.js"));

const NOT_LOADED = {
  title: "This page could not be loaded", detail: "The server does not answer, or it was updated: load it again.",
};

function App() {
  const { path, query } = useCell(place);
  const [shown, setShown] = useState({ path: "", view: null, values: {}, problem: null });
  const first = useRef(true);
  const own = useRef(query);
  if (shown.path === path) own.current = query; // while the next page is fetched, the one that stands keeps its own
  useLayoutEffect(() => {
    let mine = true;
    const found = find(path);
    const show = (view, problem = null) => {
      if (mine) setShown({ path, view, values: found?.values ?? {}, problem });
    };
    if (!found) show(NotThere);
    else allowed(path, found).then((module) => module && show(module.default), () => show(null, NOT_LOADED));
    return () => { mine = false; };
  }, [path]);
  useLayoutEffect(() => { // whoever reads by ear or keyboard begins at the new page's heading
    if (!shown.path) return;
    if (!first.current) document.getElementById("heading")?.focus({ preventScroll: true });
    first.current = false;
  }, [shown.path]);
  return html`<${Shell}>${content(shown, own.current)}<//>`;
}

const asked = load();

// The page's module; nothing where one has to sign in first.
async function allowed(path, found) {
  const [module] = await Promise.all([found.load(), asked]);
  if (path === SIGN_IN || !me.value?.needed) return module;
  if (!me.value.signed_in) askToSignIn();
  else if (!may("view", "submit")) return { default: NothingToSee };
  else if (path !== "/" || may("view")) return module;
  else go("/jobs", { replace: true }); // who submits, and sees what is theirs alone
  return null;
}

function content({ path, view: View, values, problem }, query) {
  if (problem) return html`<${Page} title="Not loaded"><${Trouble} problem=${problem} again=${() => location.reload()} /><//>`;
  if (!View) return html`<${Loading} lines=${8} />`;
  return html`<${View} key=${path} ...${values} query=${query} />`;
}

function NothingToSee() {
  return html`<${Page} title="Nothing to see"><p>The token that you have signed in by is for workers: it shows nothing here.</p><//>`;
}

function NotThere() {
  return html`<${Page} title="There is no such page">
    <p>Nothing is at <bdi class="mono">${location.pathname.slice(0, 200)}</bdi>. All that there is can be found from
      the <a href="/">overview</a>, the <a href="/jobs">jobs</a> and the <a href="/workers">workers</a>.</p><//>`;
}

render(html`<${App} />`, document.getElementById("app"));
