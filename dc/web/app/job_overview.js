// A job in figures: failures, run times, workers, and the timeline.
import { html } from "../vendor/vendor.js";
import { FailureGroups, JobWorkers, RunTimes } from "./job_figures.js";
import { Fetched } from "./parts.js";
import { Timeline } from "./timeline.js";

export default function InFigures({ job, figures }) {
  return html`
    <${Fetched} from=${figures} lines=${6}>${(data) => html`
      <${FailureGroups} job=${job} figures=${data} />
      <div class="columns"><${RunTimes} figures=${data} /><${JobWorkers} figures=${data} /></div>`}<//>
    <${Timeline} job=${job} />`;
}
