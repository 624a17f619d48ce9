// What is known of what has finished of a job: run times, failures by their errors, workers.
import { html, useState } from "../vendor/vendor.js";
import { Bars } from "./chart.js";
import { count, percent, span } from "./format.js";
import { WorkerLink } from "./jobs_shared.js";
import { Empty, Section, Time } from "./parts.js";
import { useData } from "./live.js";
import { Table } from "./table.js";
import { Block, Text } from "./text.js";

const LABELS = 6; // below the bars, at most

// --- run times ----------------------------------------------------------------------------------

export function RunTimes({ figures: { run_times: histogram, seconds } }) {
  const { bounds, counts } = histogram;
  const all = counts.reduce((sum, number) => sum + number, 0);
  const note = all ? `${count(all)} tasks, ${span(seconds)} together, ${span(seconds / all)} in the mean` : "";
  return html`<${Section} title="Run times" note=${note}>
    ${all ? html`<${Bars} bars=${barsOf(bounds, counts)} label="Tasks by run time" format=${count} unit=" tasks" />
        <p class="soft">Half took up to ${span(quantile(bounds, counts, 0.5))}, nine of ten up to ${span(quantile(bounds, counts, 0.9))},
          99 of 100 up to ${span(quantile(bounds, counts, 0.99))}.</p>`
      : html`<${Empty}>Nothing has finished yet.<//>`}
  <//>`;
}

// From the first to the last that has any, so that the bars are wide.
function barsOf(bounds, counts) {
  const first = counts.findIndex((number) => number > 0);
  const last = counts.findLastIndex((number) => number > 0);
  const [from, to] = [Math.max(0, first - 1), Math.min(counts.length - 1, last + 1)];
  const each = Math.ceil((to - from + 1) / LABELS);
  return counts.slice(from, to + 1).map((value, at) => {
    const low = bounds[from + at - 1] ?? 0;
    const high = bounds[from + at];
    const label = high == null ? `more than ${span(low)}` : `${span(low)} to ${span(high)}`;
    return { label, value, short: at % each ? "" : span(low) };
  });
}

// The upper bound of the bar in which a share of the tasks is reached.
function quantile(bounds, counts, share) {
  let left = share * counts.reduce((sum, number) => sum + number, 0);
  const at = counts.findIndex((number) => (left -= number) <= 0);
  return bounds[Math.min(at, bounds.length - 1)];
}

// --- failures -----------------------------------------------------------------------------------

export function FailureGroups({ job, figures: { failures, other_failures: others } }) {
  if (!failures.length) return null;
  return html`<${Section} title="Failures by error" note=${`${count(job.counts.failed)} tasks failed`}
      tools=${html`<a href=${`/jobs/${job.job}?tab=tasks&state=failed`}>All failed tasks</a>`}>
    <ul class="rows">${failures.map((group) => html`<${Group} key=${`${group.kind} ${group.error}`} job=${job} group=${group} />`)}</ul>
    ${others > 0 && html`<p class="soft">${count(others)} more failed with other errors.</p>`}
  <//>`;
}

function Group({ job, group }) {
  const [shown, setShown] = useState(null); // the task whose traceback is read: it stays, whatever fails after it
  const open = shown !== null;
  const workers = Object.entries(group.workers);
  return html`<li class="row top">
    <span class="row-number">${count(group.count)}<span class="below">${percent(group.count, job.counts.failed)}</span></span>
    <div class="row-main">
      <strong><${Text} value=${group.error || group.kind} max=${240} /></strong>
      <span class="below">${group.kind}, first in <a href=${`/jobs/${job.job}/tasks/${group.first}`}>task ${group.first}</a>,
        last in <a href=${`/jobs/${job.job}/tasks/${group.last}`}>task ${group.last}</a>, <${Time} at=${group.last_at} />
        ${workers.length > 0 && html`; on ${workers.slice(0, 4).map(([name, number], at) => html`${at ? ", " : ""}<${WorkerLink} name=${name} /> (${count(number)})`)}`}
      </span>
      <button type="button" class="more" aria-expanded=${open} onClick=${() => setShown(open ? null : group.last)}>
        ${open ? "Hide" : "Show"} the traceback of task ${shown ?? group.last}</button>
      ${open && html`<${Trace} job=${job.job} number=${shown} />`}
    </div></li>`;
}

function Trace({ job, number }) {
  const task = useData(`/api/jobs/${job}/tasks/${number}`);
  const text = task.data?.failure?.traceback || task.data?.failure?.error;
  if (task.problem) return html`<p class="problem">${task.problem.message}</p>`;
  if (!task.data) return html`<p class="soft">Loading.</p>`;
  return html`<${Block} value=${text} label=${`traceback of task ${number}`} empty="It has none." />`;
}

// --- workers ------------------------------------------------------------------------------------

const COLUMNS = [
  { key: "worker", title: "Worker", head: true, cell: (one) => html`<${WorkerLink} name=${one.worker} />` },
  { key: "done", title: "Done", sort: "done", number: true, first: "desc", cell: (one) => count(one.done) },
  { key: "failed", title: "Failed", sort: "failed", number: true, first: "desc", cell: (one) => one.failed
    ? html`${count(one.failed)} <span class="soft">(${percent(one.failed, one.done + one.failed)})</span>` : "0" },
  { key: "mean", title: "Mean run time", sort: "mean", number: true, cell: (one) => span(mean(one)) },
];

const mean = (one) => (one.done + one.failed ? one.seconds / (one.done + one.failed) : null);
const KEYS = { done: (one) => one.done, failed: (one) => one.failed, mean };

export function JobWorkers({ figures: { workers, other_workers: others } }) {
  const [[sort, order], setSort] = useState(["done", "desc"]);
  const sign = order === "asc" ? 1 : -1;
  const rows = [...workers].sort((one, other) => sign * (KEYS[sort](one) - KEYS[sort](other)));
  return html`<${Section} title="Workers of this job">
    <${Table} caption="What each worker did of this job" columns=${COLUMNS} rows=${rows} rowKey=${(one) => one.worker} sort=${sort} order=${order}
      onSort=${(...next) => setSort(next)} empty="No worker has finished anything of it yet." />
    ${others > 0 && html`<p class="soft">${count(others)} more workers did less.</p>`}
  <//>`;
}
