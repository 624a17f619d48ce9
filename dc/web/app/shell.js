// What stands around each page: navigation, the state of the connection, the theme.
import { html, useLayoutEffect, useState } from "../vendor/vendor.js";
import { useCell } from "./cell.js";
import { clock, seconds } from "./clock.js";
import { Dialogs } from "./dialog.js";
import { moment } from "./format.js";
import { Icon } from "./icons.js";
import { connection, retry } from "./live.js";
import { may, me, SIGN_IN, signOut } from "./me.js";
import { Action } from "./parts.js";
import { place } from "./router.js";
import { Text } from "./text.js";
import { setTheme, theme, THEMES } from "./theme.js";
import { Toasts } from "./toast.js";

const ICON = new URL("../icon.svg", import.meta.url).href;

// Address, text, picture, and the roles without one of which it is of no use.
const NAV = [
  ["/", "Overview", "overview", ["view"]],
  ["/jobs", "Jobs", "jobs", ["view", "submit"]],
  ["/workers", "Workers", "workers", ["view"]],
  ["/submit", "Submit", "submit", ["submit"]],
  ["/plugins", "Plugins", "plugins", ["view", "submit"]],
  ["/events", "Events", "events", ["view"]],
  ["/settings", "Settings", "settings", ["view"]],
];

export function Shell({ children }) {
  const [open, setOpen] = useState(false);
  const { path } = useCell(place);
  const out = outside(useCell(me));
  useLayoutEffect(() => setOpen(false), [path]);
  return html`
    <a class="skip" href="#main">Skip to the page</a>
    <header class="side">
      <a class="brand" href="/"><img class="mark" src=${ICON} alt="" width="24" height="24" />dc</a>
      <button type="button" class="icon-button menu-button" aria-expanded=${open} aria-controls="nav"
        onClick=${() => setOpen(!open)}><${Icon} name=${open ? "close" : "menu"} /><span class="unseen">Menu</span></button>
      <nav id="nav" class=${open ? "open" : ""} aria-label="Main"><ul>
        ${NAV.filter(([, , , roles]) => !out && may(...roles)).map(([address, text, icon]) => html`<li key=${address}>
          <a href=${address} aria-current=${isAt(path, address) ? "page" : undefined}>
            <${Icon} name=${icon} />${text}</a></li>`)}
      </ul><${Who} /></nav>
      <div class="side-foot">${out ? html`<span />` : html`<${Live} />`}<${Theme} /></div>
    </header>
    <${Lost} />
    <main id="main" tabindex="-1">${children}</main>
    <${Toasts} />
    <${Dialogs} />`;
}

// Whether one has to sign in first.
function outside(who) {
  return Boolean(who?.needed) && !who.signed_in;
}

function Who() {
  const who = useCell(me);
  if (!who?.needed) return null;
  if (outside(who)) return html`<ul><li><a href=${SIGN_IN}><${Icon} name="assigned" />Sign in</a></li></ul>`;
  return html`<div class="who">
    <span class="who-name"><span class="unseen">Signed in as </span><${Text} value=${who.name || who.token} max=${60} fixed />
      <span class="below">${who.roles.join(", ")}</span></span>
    <${Action} act=${signOut} kind="small">Sign out<//></div>`;
}

function isAt(path, address) {
  if (address === "/settings" && path.startsWith("/access")) return true;
  return address === "/" ? path === "/" : path === address || path.startsWith(`${address}/`);
}

const WORDS = { connecting: "Connecting", live: "Live", polling: "Every 2 s", idle: "Connected", lost: "Not connected" };

function Live() {
  const { state, at } = useCell(connection);
  return html`<span class=${`live is-${state}`} title=${at ? `Last word of the server: ${moment(at)}` : undefined}>
    <span class="live-dot" />${WORDS[state]}</span>`;
}

// Above the page, where it cannot be missed, and said to screen readers once.
function Lost() {
  const { state, at, again } = useCell(connection);
  const lost = state === "lost";
  return html`<div class="lost-place" role="status" aria-live="polite">${lost && html`<div class="lost">
    <${Icon} name="away" />
    <span>The server does not answer${at ? html`; what is shown is of ${moment(at)}` : ""}. <${Next} again=${again} /></span>
    <button type="button" class="small" onClick=${retry}>Try now</button></div>`}</div>`;
}

function Next({ again }) {
  useCell(seconds);
  const left = Math.max(0, Math.ceil((again ?? 0) - clock.now()));
  return html`<span aria-hidden="true">${left ? `Tried again in ${left} s.` : "Trying again."}</span>`;
}

const THEME_WORDS = { auto: "as the system", light: "light", dark: "dark" };
const THEME_ICONS = { auto: "half", light: "sun", dark: "moon" };

function Theme() {
  const name = useCell(theme);
  const next = THEMES[(THEMES.indexOf(name) + 1) % THEMES.length];
  const text = `Colours: ${THEME_WORDS[name]}. Change to ${THEME_WORDS[next]}`;
  return html`<button type="button" class="icon-button" title=${text} aria-label=${text}
    onClick=${() => setTheme(next)}><${Icon} name=${THEME_ICONS[name]} /></button>`;
}
