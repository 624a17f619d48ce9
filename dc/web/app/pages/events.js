// What operators and the system did, the newest first.
import { html } from "../../vendor/vendor.js";
import { withQuery } from "../api.js";
import { EventList } from "../events_shared.js";
import { Choice, Search } from "../forms.js";
import { useData } from "../live.js";
import { Fetched, Page } from "../parts.js";
import { setQuery } from "../router.js";
import { Pager } from "../table.js";
import { cut, visible } from "../text.js";

const ROWS = 100;
const NAMES = ["kind", "level", "who", "search", "job", "worker", "cursor"];
const KINDS = ["", "job", "task", "worker", "plugin", "setting", "server", "submitter"];
const LEVELS = [["", "any"], ["info", "info"], ["warning", "warning"], ["error", "error"]];

export default function Events({ query }) {
  const asked = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  const path = withQuery("/api/events", { ...asked, limit: ROWS });
  const live = query.get("follow") !== "no" && !asked.cursor;
  const events = useData(path, live ? { on: "events" } : {});
  const filtered = NAMES.some((name) => name !== "cursor" && asked[name]);
  const empty = filtered ? html`Nothing like that has happened. <a href="/events">Show all</a>` : "Nothing has happened yet.";
  return html`<${Page} title="Events" actions=${html`<${Follow} live=${live} paged=${Boolean(asked.cursor)} />`}>
    <${Filters} asked=${asked} />
    <section class="panel"><${Fetched} from=${events} lines=${12}>${(data) => html`
      <${EventList} caption="Events" events=${data.events} empty=${empty} loading=${events.loading && events.path !== path} />
      <${Pager} next=${data.next} late=${events.path !== path} label="Pages of events" />`}<//></section>
  <//>`;
}

function Follow({ live, paged }) {
  return html`<button type="button" aria-pressed=${live} title=${live ? "New events appear by themselves" : "New events do not appear"}
    onClick=${() => setQuery({ follow: live ? "no" : "", cursor: "" })}>${live ? "Following" : paged ? "Back to the newest" : "Follow"}</button>`;
}

function Filters({ asked }) {
  const set = (name) => (value) => setQuery({ [name]: value, cursor: "" });
  const subject = asked.job ? ["job", `job ${asked.job}`] : asked.worker ? ["worker", asked.worker] : null;
  return html`<div class="filters" role="search" aria-label="Which events">
    <${Search} label="Search events" value=${asked.search} onChange=${set("search")} placeholder="Words" />
    <${Choice} label="About" value=${asked.kind} onChange=${set("kind")} options=${kinds(asked.kind)} />
    <${Choice} label="Level" value=${asked.level} onChange=${set("level")} options=${LEVELS} />
    <${Search} label="Who" value=${asked.who} onChange=${set("who")} placeholder="Who: operator, server, a name" />
    ${subject && html`<button type="button" class="small" onClick=${() => set(subject[0])("")}
      aria-label=${`Not only of ${visible(cut(subject[1], 60))}`}><bdi>${visible(cut(subject[1], 60))}</bdi> ✕</button>`}
  </div>`;
}

// A kind of an address is kept among the choices, even if it is a single one such as job.paused.
function kinds(asked) {
  const known = KINDS.includes(asked) ? KINDS : [...KINDS, asked];
  return known.map((one) => [one, one || "anything"]);
}
