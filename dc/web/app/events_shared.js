// Events as rows: when, what, who, and links to what they are about.
import { html } from "../vendor/vendor.js";
import { workerLink } from "./router.js";
import { Badge, Time } from "./parts.js";
import { Table } from "./table.js";
import { Text } from "./text.js";

const COLUMNS = [
  { key: "at", title: "When", cell: (event) => html`<${Time} at=${event.at} />` },
  { key: "level", title: "Level", cell: (event) => html`<${Badge} state=${event.level} />` },
  { key: "text", title: "What", head: true, cell: What },
  { key: "who", title: "Who", cell: (event) => html`<${Text} value=${event.who} max=${60} fixed />` },
];

function What(event) {
  return html`<span class="event-text"><${Text} value=${event.text} max=${300} /></span>
    <span class="below"><code>${event.kind}</code>${subjects(event).map(([text, address]) => html` · <a key=${address} href=${address}>${text}</a>`)}</span>`;
}

// What an event is about: [text, address] pairs.
function subjects({ job, task, worker }) {
  const all = [];
  if (job != null && task != null) all.push([`task ${task} of job ${job}`, `/jobs/${job}/tasks/${task}`]);
  else if (job != null) all.push([`job ${job}`, `/jobs/${job}`]);
  if (worker) all.push([html`<${Text} value=${worker} max=${60} fixed />`, workerLink(worker)]);
  return all;
}

export function EventList({ events, empty, caption, loading = false }) {
  return html`<${Table} caption=${caption} columns=${COLUMNS} rows=${events} rowKey=${(event) => event.event} empty=${empty} loading=${loading} />`;
}
