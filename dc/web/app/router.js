// Real paths: every page, filter and tab has its address, and links are ordinary links.
import { cell } from "./cell.js";

const pages = [];

function read() {
  return { path: location.pathname, query: new URLSearchParams(location.search), state: history.state };
}

export const place = cell(read());

// `pattern` is a path with {names}; `load` imports the module whose default export is the page.
export function page(pattern, load) {
  const names = [];
  const source = pattern.replace(/\{(\w+)\}/g, (_, name) => {
    names.push(name);
    return "([^/]+)";
  });
  pages.push({ match: new RegExp(`^${source}/?$`), names, load });
}

// What serves a path: {load, values}, or null.
export function find(path) {
  for (const { match, names, load } of pages) {
    const found = match.exec(path);
    if (!found) continue;
    try {
      const values = names.map((name, at) => [name, decodeURIComponent(found[at + 1])]);
      return { load, values: Object.fromEntries(values) };
    } catch {
      return null; // what is percent-encoded is no UTF-8
    }
  }
  return null;
}

export function go(address, { replace = false, state = null } = {}) {
  const before = location.pathname;
  history[replace ? "replaceState" : "pushState"](state, "", address);
  if (location.pathname !== before) scrollTo(0, 0);
  place.set(read());
}

// The same for what was waited for: it leads nowhere if someone has gone to another page meanwhile.
export function goFrom(path, address, how) {
  if (location.pathname === path) go(address, how);
}

// Changes parts of the query; what is empty goes out of it.
export function setQuery(changes, { replace = true, state = null } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value == null) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ""), { replace, state });
}

function clicked(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!find(link.pathname)) return; // bytes, the API: the browser's business
  if (link.pathname === location.pathname && link.search === location.search && link.hash) return;
  event.preventDefault();
  go(link.href);
}

// A worker's own page. One that is called as a page here is written so that its address is another.
const RESERVED = new Map([["add", "%61dd"]]);

export function workerLink(name) {
  return `/workers/${RESERVED.get(name) ?? encodeURIComponent(name)}`;
}

addEventListener("popstate", () => place.set(read()));
document.addEventListener("click", clicked);
