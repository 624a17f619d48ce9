// The audit log: who was let in or refused, and who changed what, the newest first.
import { html } from "../../vendor/vendor.js";
import { withQuery } from "../api.js";
import { Choice, Search } from "../forms.js";
import { useData } from "../live.js";
import { may } from "../me.js";
import { Badge, Fetched, Note, Page, Time } from "../parts.js";
import { setQuery } from "../router.js";
import { Pager, Table } from "../table.js";
import { Text } from "../text.js";

const ROWS = 100;
const NAMES = ["kind", "who", "address", "ok", "cursor"];
const CRUMBS = [["Settings", "/settings"], ["Access", "/access"]];
const KINDS = ["", "token", "sign_in", "invite", "worker", "group", "job", "setting"];
const OUTCOMES = [["", "any"], ["true", "done"], ["false", "refused"]];

export default function Audit({ query }) {
  const asked = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  const path = withQuery("/api/audit", { ...asked, limit: ROWS });
  const audit = useData(may() ? path : "");
  if (!may()) return html`<${Page} title="Audit log" crumbs=${CRUMBS}><${Note} level="warning">Only who administers the server can see the audit log.<//><//>`;
  const filtered = NAMES.some((name) => name !== "cursor" && asked[name]);
  const empty = filtered ? html`Nothing like that has happened. <a href="/access/audit">Show all</a>` : "Nothing has happened yet.";
  return html`<${Page} title="Audit log" crumbs=${CRUMBS} actions=${html`<button type="button" onClick=${audit.reload}>Look again</button>`}>
    <${Filters} asked=${asked} />
    <section class="panel"><${Fetched} from=${audit} lines=${12}>${(data) => html`
      <${Table} caption="Audit log" columns=${COLUMNS} rows=${data.entries} rowKey=${(one) => one.entry} empty=${empty}
        loading=${audit.loading && audit.path !== path} />
      <${Pager} next=${data.next} late=${audit.path !== path} label="Pages of the audit log" />`}<//></section>
  <//>`;
}

const COLUMNS = [
  { key: "at", title: "When", cell: (one) => html`<${Time} at=${one.at} />` },
  { key: "ok", title: "Outcome", cell: (one) => html`<${Badge} state=${one.ok ? "done" : "failed"} text=${one.ok ? "done" : "refused"} />` },
  { key: "what", title: "What", head: true, cell: (one) => html`<span class="event-text"><${Text} value=${one.what || one.kind} max=${300} /></span>
    <span class="below"><code>${one.kind}</code></span>` },
  { key: "who", title: "Who", cell: (one) => html`<${Text} value=${one.who || "nobody"} max=${60} fixed />
    ${one.token && html`<span class="below"><code>${one.token}</code></span>`}` },
  { key: "address", title: "From", cell: (one) => html`<${Text} value=${one.address} max=${60} fixed mono />` },
];

function Filters({ asked }) {
  const set = (name) => (value) => setQuery({ [name]: value, cursor: "" });
  const kinds = KINDS.includes(asked.kind) ? KINDS : [...KINDS, asked.kind];
  return html`<div class="filters" role="search" aria-label="Which entries">
    <${Choice} label="About" value=${asked.kind} onChange=${set("kind")} options=${kinds.map((one) => [one, one || "anything"])} />
    <${Choice} label="Outcome" value=${asked.ok} onChange=${set("ok")} options=${OUTCOMES} />
    <${Search} label="Who" value=${asked.who} onChange=${set("who")} placeholder="Who: the name of a token" />
    <${Search} label="From" value=${asked.address} onChange=${set("address")} placeholder="From: an address" />
  </div>`;
}
