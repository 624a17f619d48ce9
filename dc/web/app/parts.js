// What pages are made of: heading, sections, badges, figures, times, and the states of what is fetched.
import { html, useLayoutEffect, useState } from "../vendor/vendor.js";
import { useCell } from "./cell.js";
import { clock, halfMinutes, seconds } from "./clock.js";
import { ago, count, moment, percent, span } from "./format.js";
import { Icon } from "./icons.js";
import { Text } from "./text.js";
import { toast } from "./toast.js";

// --- a page -------------------------------------------------------------------------------------

// `crumbs` are [text, address] pairs of the pages above; `badge` and `actions` stand beside the heading.
export function Page({ title, name = title, crumbs = [], badge, actions, children }) {
  useLayoutEffect(() => { document.title = `${name} · dc`; }, [name]);
  return html`
    ${crumbs.length > 0 && html`<nav class="crumbs" aria-label="Breadcrumbs"><ol>
      ${crumbs.map(([text, address]) => html`<li key=${address}><a href=${address}>${text}</a></li>`)}
    </ol></nav>`}
    <div class="page-head">
      <h1 tabindex="-1" id="heading">${title}</h1>
      ${badge}
      ${actions && html`<div class="buttons">${actions}</div>`}
    </div>
    ${children}`;
}

// A part of a page with a heading; `tools` stand at the heading's end.
export function Section({ title, tools, note, children, kind = "" }) {
  const id = `section-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return html`<section class=${`panel ${kind}`} aria-labelledby=${id}>
    <div class="panel-head"><h2 id=${id}>${title}</h2>
      ${note && html`<span class="soft">${note}</span>`}
      ${tools && html`<div class="tools">${tools}</div>`}</div>
    ${children}
  </section>`;
}

// --- states of what is fetched ------------------------------------------------------------------

// Draws `children(data)` of what useData gave, or what there is instead. `lines` keep the room meanwhile.
export function Fetched({ from, lines = 4, children }) {
  if (from.data !== null) return children(from.data);
  if (from.problem) return html`<${Trouble} problem=${from.problem} again=${from.reload} />`;
  return html`<${Loading} lines=${lines} />`;
}

export function Loading({ lines = 4 }) {
  return html`<div class="loading" role="status"><span class="unseen">Loading</span>
    ${Array.from({ length: lines }, (_, at) => html`<div class="bone" key=${at} />`)}</div>`;
}

export function Empty({ children }) {
  return html`<div class="empty">${children}</div>`;
}

// What is wrong. The API's titles say of which kind that is, its details what it is: who looks at a page wants these.
export function Trouble({ problem, again }) {
  const kind = problem.code && problem.detail ? "" : problem.title;
  return html`<div class="note error" role="alert"><${Icon} name="sick" />
    <div>${kind && html`<strong>${kind}</strong>`}
      ${problem.detail && html`<p><${Text} value=${problem.detail} max=${600} /></p>`}
      ${problem.lost && html`<p>It is tried again by itself.</p>`}
      ${again && html`<p><button type="button" class="small" onClick=${again}>Try again</button></p>`}
    </div></div>`;
}

// A sentence that should be seen; `level` is info, warning or error.
export function Note({ level = "info", children }) {
  return html`<div class=${`note ${level}`}><${Icon} name=${level === "info" ? "info" : "sick"} />
    <div>${children}</div></div>`;
}

// --- small things -------------------------------------------------------------------------------

export function Badge({ state, text = state }) {
  return html`<span class=${`badge is-${state}`}><${Icon} name=${state} />${text}</span>`;
}

// A list of figures: pairs of a name and what it is; pairs that are empty are left out.
export function Figures({ of: pairs, kind = "" }) {
  return html`<dl class=${`figures ${kind}`}>${pairs.filter(Boolean).map(([name, value]) => html`
    <div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

// One large figure with a line below it.
export function Tile({ name, value, below, href, level = "" }) {
  const inner = html`<span class="tile-name">${name}</span>
    <span class="tile-value">${value}</span><span class="tile-below">${below}</span>`;
  return href
    ? html`<a class=${`tile ${level}`} href=${href}>${inner}</a>`
    : html`<div class=${`tile ${level}`}>${inner}</div>`;
}

// A moment: how long ago, and the time with its zone as a title and for screen readers.
export function Time({ at, long = false }) {
  const now = clock.now();
  useCell(at != null && Math.abs(now - at) < 120 ? seconds : halfMinutes);
  if (at == null) return html`<span class="soft">–</span>`;
  const [near, exact] = [ago(at, now), moment(at)];
  return html`<time datetime=${new Date(at * 1000).toISOString()} title=${exact}>
    ${long ? html`${exact} <span class="soft">(${near})</span>` : near}</time>`;
}

// How long something has been going on, counting.
export function Since({ at }) {
  useCell(seconds);
  if (at == null) return html`<span class="soft">–</span>`;
  return html`<time title=${`since ${moment(at)}`}>${span(Math.max(0, Math.floor(clock.now() - at)))}</time>`;
}

const SHARES = ["done", "failed", "cancelled", "running", "assigned", "queued"];

// Tasks by state as one bar; what it shows is said in words as well.
export function Progress({ counts, label = "Progress" }) {
  const { total } = counts;
  const over = counts.done + counts.failed + counts.cancelled;
  const said = SHARES.filter((name) => counts[name]).map((name) => `${count(counts[name])} ${name}`);
  return html`<div class="progress" role="img" title=${said.join(", ")}
      aria-label=${`${label}: ${percent(over, total)} of ${count(total)}; ${said.join(", ") || "nothing yet"}`}>
    ${SHARES.map((name) => counts[name] > 0 && html`<span key=${name} class=${`share is-${name}`}
      style=${{ flexGrow: counts[name] / total }} />`)}
  </div>`;
}

// A part of a whole as a bar, of 1.
export function Meter({ value, label, level = "" }) {
  const part = Math.max(0, Math.min(1, value || 0));
  return html`<div class="progress" role="img" aria-label=${`${label}: ${percent(part)}`}>
    <span class=${`share is-meter ${level}`} style=${{ flexGrow: part }} />
    <span style=${{ flexGrow: 1 - part }} /></div>`;
}

// --- what is done -------------------------------------------------------------------------------

// A button that does something at the server: it waits, and says what is wrong where it fails.
//   act: async; what it returns as text is said, with `undo` if it returns {text, undo}.
export function Action({ act, children, kind = "", icon, disabled = false, title, label }) {
  const [busy, setBusy] = useState(false);
  const press = async (event) => {
    if (event.detail > 1) return; // the second of a double click, which may meet with what this one has become
    setBusy(true);
    try {
      const said = await act();
      if (typeof said === "string") toast(said);
      else if (said?.text) toast(said.text, { undo: said.undo });
    } catch (problem) {
      toast(problem.message, { level: "error" });
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${kind} disabled=${disabled} aria-busy=${busy} title=${title}
    aria-label=${label} onClick=${busy ? undefined : press}>
    ${icon && html`<${Icon} name=${icon} />`}${children}</button>`;
}

// Tabs as links, since each has its address: pairs of a name in the query and what is shown.
export function Tabs({ of: tabs, at, address, label }) {
  return html`<nav class="tabs" aria-label=${label}>${tabs.map(([name, text]) => html`
    <a key=${name} href=${address(name)} aria-current=${name === at ? "page" : undefined}>${text}</a>`)}</nav>`;
}
