// A job: how far it is, when it is done, what failed and why, its tasks and results, and what to do about it.
import { html, useLayoutEffect, useState } from "../../vendor/vendor.js";
import { useData } from "../live.js";
import { count, plural, rate, size, span } from "../format.js";
import { JobActions } from "../job_actions.js";
import { JobTasks } from "../job_tasks.js";
import { CountsLegend, FINISHED, leftText } from "../jobs_shared.js";
import { Badge, Fetched, Figures, Loading, Note, Page, Progress, Section, Tabs, Time, Trouble } from "../parts.js";
import { Text, cut, visible } from "../text.js";

const TABS = [["", "Overview"], ["tasks", "Tasks"], ["results", "Results"], ["options", "Options"]];
const CRUMBS = [["Jobs", "/jobs"]];
const NOT_LOADED = { title: "This could not be shown", detail: "The server does not answer, or it was updated: load the page again." };

export default function JobPage({ job: number, query }) {
  const job = useData(`/api/jobs/${number}`, { topic: `job:${number}` });
  const figures = useData(`/api/jobs/${number}/figures`, { on: `job:${number}` });
  if (!job.data) {
    return html`<${Page} title=${`Job ${visible(cut(number, 20))}`} crumbs=${CRUMBS}>
      ${job.problem ? html`<${Trouble} problem=${job.problem} again=${job.reload} />` : html`<${Fetched} from=${job} lines=${10} />`}<//>`;
  }
  const { data } = job;
  const tab = query.get("tab") ?? "";
  const changed = (view) => { job.set(view); figures.reload(); };
  const name = data.name || data.type;
  return html`<${Page} title=${html`<${Text} value=${name} max=${120} />`} name=${`${visible(cut(name, 60))} · job ${data.job}`}
      crumbs=${CRUMBS} badge=${html`<${Badge} state=${data.state} />`}
      actions=${html`<${JobActions} job=${data} onChange=${changed} />`}>
    <${Head} job=${data} />
    <${Tabs} of=${TABS} at=${tab} label="Parts of this job" address=${(one) => `/jobs/${number}${one ? `?tab=${one}` : ""}`} />
    ${tab === "tasks" ? html`<${JobTasks} job=${data} query=${query} />`
      : tab === "results" ? html`<${Later} key="results" load=${RESULTS} job=${data} query=${query} />`
      : tab === "options" ? html`<${Options} job=${data} />`
      : html`<${Later} key="figures" load=${FIGURES} job=${data} figures=${figures} />`}
  <//>`;
}

function Head({ job }) {
  const { counts } = job;
  const over = FINISHED.has(job.state);
  return html`
    ${job.note && html`<${Note} level=${over ? "info" : "warning"}><${Text} value=${job.note} max=${600} /><//>`}
    ${job.why && job.why !== job.note && !over && html`<${Note}><strong>${job.state === "running" ? "Why the rest waits:" : "Why it waits:"}</strong>${" "}<${Text} value=${job.why} max=${600} /><//>`}
    <section class="panel" aria-label="How far it is">
      <div class="big-progress"><${Progress} counts=${counts} /></div>
      <${CountsLegend} counts=${counts} link=${(name) => (name === "failed" ? `/jobs/${job.job}?tab=tasks&state=failed`
        : name === "done" ? `/jobs/${job.job}?tab=tasks&state=done`
        : name === "cancelled" ? "" : `/jobs/${job.job}?tab=tasks&state=unfinished`)} />
      <div class="panel-foot"><${Figures} of=${[
        ["Tasks", html`<a href=${`/jobs/${job.job}?tab=tasks`}>${count(counts.total)}</a>`],
        !over && ["Time left", html`${leftText(job.left)}${job.left?.basis && html`<span class="below"><${Text} value=${job.left.basis} max=${200} /></span>`}`],
        job.rate != null && !over && ["Rate", rate(job.rate)],
        ["Submitted", html`<${Time} at=${job.created} />${job.submitter && html`<span class="below">by <${Text} value=${job.submitter} max=${40} fixed /></span>`}`],
        job.started_at != null && ["Started", html`<${Time} at=${job.started_at} />`],
        job.finished_at != null && ["Finished", html`<${Time} at=${job.finished_at} />${job.started_at != null
          && html`<span class="below">after ${span(job.finished_at - job.started_at)}</span>`}`],
        ["Type", html`<${Text} value=${job.type} max=${60} fixed /> <span class="soft"><${Text} value=${job.version} max=${20} fixed /></span>`],
        ["Stored", size(job.bytes)],
      ]} /></div>
    </section>`;
}

// What the first tab and the results need is fetched when one looks at them.
const FIGURES = () => import("../job_overview.js");
const RESULTS = () => import("../job_results.js");
if (!new URLSearchParams(location.search).has("tab")) FIGURES().catch(() => {}); // on its way before the job is here

function Later({ load, ...given }) {
  const [{ View, problem }, set] = useState({});
  useLayoutEffect(() => {
    let mine = true;
    load().then((module) => mine && set({ View: module.default }), () => mine && set({ problem: NOT_LOADED }));
    return () => { mine = false; };
  }, []);
  if (problem) return html`<${Trouble} problem=${problem} again=${() => location.reload()} />`;
  return View ? html`<${View} ...${given} />` : html`<${Loading} lines=${10} />`;
}

// --- options ------------------------------------------------------------------------------------

const pairs = (of) => Object.entries(of).map(([name, value]) => html`<span class="tag" key=${name}>
  <${Text} value=${name} max=${60} fixed /> = <${Text} value=${String(value)} max=${120} fixed /></span>`);
const none = html`<span class="soft">none</span>`;
const tags = (of) => (Object.keys(of).length ? html`<div class="tags">${pairs(of)}</div>` : none);

function Options({ job }) {
  return html`<div class="columns">
    <${Section} title="What it needs"><${Figures} kind="lines" of=${[
      ["Worker", job.needs.length ? job.needs.map((one) => html`<div key=${one}><${Text} value=${one} /></div>`) : html`<span class="soft">any</span>`],
      ["Type", html`<${Text} value=${job.type} /> <${Text} value=${job.version} max=${40} fixed />`],
      ["Plugin", job.plugin ? html`<a href="/plugins"><${Text} value=${job.plugin} max=${60} fixed /></a>` : html`<span class="soft">workers' own</span>`],
      ["Inputs", Object.keys(job.inputs).length ? html`<ul>${Object.entries(job.inputs).map(([name, blob]) => html`<li key=${name}>
        <a href=${`/blobs/${blob.sha256}`} download=${name}><${Text} value=${name} max=${80} fixed /></a> <span class="soft">${size(blob.size)}</span></li>`)}</ul>` : none],
      ["Environment", tags(job.environment)],
      ["Limits of a task", tags(job.limits)],
    ]} /><//>
    <${Section} title="How it is run"><${Figures} kind="lines" of=${[
      ["Priority", String(job.priority)],
      ["Weight", `${job.weight}`],
      ["Retries", plural(job.retries, "further try", "further tries")],
      ["Timeout", job.timeout > 0 && Number.isFinite(job.timeout) ? `${span(job.timeout)} a task` : html`<span class="soft">none</span>`],
      ["After", job.after.length ? html`${job.after.map((one, at) => html`${at ? ", " : ""}<a href=${`/jobs/${one}`}>job ${one}</a>`)}
        <span class="soft"> ${job.each ? "task by task" : ""} (${job.after_what})</span>` : none],
      ["Not before", html`<${Time} at=${job.not_before} long />`],
      ["Deadline", html`<${Time} at=${job.deadline} long />`],
      ["Output", job.keep_output ? "kept whole" : "the beginning and the end are kept"],
      ["Submitter", job.submitter ? html`<${Text} value=${job.submitter} />` : html`<span class="soft">not said</span>`],
      ["Submitted", html`<${Time} at=${job.created} long />`],
    ]} /><//>
  </div>`;
}
