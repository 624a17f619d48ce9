// What several pages show of jobs and tasks alike.
import { html } from "../vendor/vendor.js";
import { count, percent, plural, range, span } from "./format.js";
import { Progress } from "./parts.js";
import { workerLink } from "./router.js";
import { Text } from "./text.js";

export const FINISHED = new Set(["done", "failed", "cancelled"]);
const ORDER = ["done", "failed", "cancelled", "running", "assigned", "queued"];

// A job as a link: its name if it has one, else its type.
export function JobLink({ job }) {
  return html`<a href=${`/jobs/${job.job}`}><${Text} value=${job.name || job.type} max=${80} fixed /></a>`;
}

export function WorkerLink({ name }) {
  if (!name) return html`<span class="soft">–</span>`;
  return html`<a href=${workerLink(name)}><${Text} value=${name} max=${48} fixed /></a>`;
}

// Tasks by state in a line: what there is none of is left out.
export function CountsLegend({ counts, link }) {
  return html`<ul class="legend">${ORDER.filter((name) => counts[name]).map((name) => html`<li key=${name}>
    <span class=${`swatch is-${name}`} />${link?.(name)
      ? html`<a href=${link(name)}>${count(counts[name])} ${name}</a>`
      : html`<span>${count(counts[name])} ${name}</span>`}</li>`)}</ul>`;
}

export function JobProgress({ counts }) {
  const over = counts.done + counts.failed + counts.cancelled;
  return html`<div class="wide"><${Progress} counts=${counts} />
    <span class="below">${percent(over, counts.total)} of ${plural(counts.total, "task")}${counts.failed
      ? `, ${count(counts.failed)} failed` : ""}</span></div>`;
}

// What a list says of a job beside its state: why it waits only where nothing of it runs.
export function noteOf(job) {
  return job.note || (job.state === "running" || FINISHED.has(job.state) ? "" : job.why);
}

// How long it takes yet, as one may say it honestly.
export function leftText(left) {
  if (!left || left.tasks === 0) return "Nothing left";
  if (left.low == null) return "Unknown";
  return range(left.low, left.high);
}

export function leftBelow(left) {
  if (!left) return "";
  if (left.low == null) return left.basis;
  const work = left.work ? `, ${span(left.work)} of work` : "";
  const without = left.without ? `; ${left.without}` : "";
  return `${plural(left.tasks, "task")}${work}${without}`;
}

// Filters of jobs by state: by name in the address, what is shown, and what the API is asked for.
export const STATES = {
  "": ["All", ""],
  unfinished: ["Unfinished", "open,queued,waiting,running,paused"],
  running: ["Running", "running"],
  queued: ["Queued", "queued"],
  waiting: ["Waiting", "waiting"],
  paused: ["Paused", "paused"],
  done: ["Done", "done"],
  failed: ["Failed", "failed"],
  cancelled: ["Cancelled", "cancelled"],
};

// Without the column of rates where no job has one.
export function columnsFor(columns, jobs) {
  return jobs.some((job) => job.rate != null) ? columns : columns.filter(({ key }) => key !== "rate");
}
