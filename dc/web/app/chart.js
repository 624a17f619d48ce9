// Charts: lines over time by uPlot, bars of a histogram by plain elements; each with its table.
import { html, uPlot, useEffect, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { colour, onColours } from "./theme.js";
import { figure, moment } from "./format.js";

const TABLE_ROWS = 60;
const FEW = 24; // points that are drawn as such: a line of two could not be seen

// `data` is [times, ...values], as uPlot has it, at most some thousand points; `series` are {label,
// colour: a variable of the style, fill?, stepped?}; `format` says a value with its unit; `label` what it shows;
// `steps` between the marks of its axis may be chosen from (round numbers if not said).
export function Chart({ data, series, format = figure, label, height = 200, since, until, steps }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [colours, setColours] = useState(0);
  useEffect(() => onColours(() => setColours((count) => count + 1)), []);
  const few = series.every((_, at) => data[at + 1].filter((value) => value != null).length <= FEW);
  const shape = few + series.map((one) => one.label + one.colour).join();
  useLayoutEffect(() => {
    const width = box.current.clientWidth || 300;
    plot.current = new uPlot(optionsOf({ series, format, width, height, few, steps }), data, box.current);
    const watcher = new ResizeObserver(([entry]) => {
      plot.current.setSize({ width: Math.max(120, Math.floor(entry.contentRect.width)), height });
    });
    watcher.observe(box.current);
    return () => {
      watcher.disconnect();
      plot.current.destroy();
    };
  }, [shape, colours, height]);
  useLayoutEffect(() => {
    plot.current.setData(data, false);
    const xs = data[0];
    plot.current.setScale("x", { min: since ?? xs[0] ?? 0, max: until ?? xs.at(-1) ?? 1 });
  }, [data, since, until, shape, colours, height]);
  return html`<figure class="chart">
    <div ref=${box} class="chart-box" role="img" aria-label=${summary(data, series, format, label)}
      style=${{ minHeight: `${height}px` }} />
    <${AsTable} label=${label} head=${["Time", ...series.map((one) => one.label)]}
      rows=${() => tableRows(data, format)} />
  </figure>`;
}

function summary(data, series, format, label) {
  const last = data[0].length - 1;
  if (last < 0) return `${label}: nothing yet`;
  const said = series.map((one, at) => {
    const values = data[at + 1].filter((value) => value != null);
    const most = values.reduce((high, value) => Math.max(high, value), 0);
    return `${one.label} now ${format(values.at(-1) ?? null)}, at most ${format(most)}`;
  });
  return `${label}. ${said.join("; ")}.`;
}

function tableRows(data, format) {
  const step = Math.max(1, Math.ceil(data[0].length / TABLE_ROWS));
  const rows = [];
  for (let at = data[0].length - 1; at >= 0; at -= step) {
    rows.push([moment(data[0][at]), ...data.slice(1).map((values) => format(values[at]))]);
  }
  return rows;
}

function optionsOf({ series, format, width, height, few, steps }) {
  const [line, soft] = [colour("--line"), colour("--soft")];
  const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width, height,
    legend: { live: true },
    cursor: { y: false, points: { size: 6 } },
    padding: [8, 8, 0, 0],
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, space: 70, size: 30, values: timeLabels },
      { ...axis, size: 64, incrs: steps, values: (_, values) => values.map(format) },
    ],
    series: [
      { label: "Time", value: (_, value) => (value == null ? "latest" : moment(value)) },
      ...series.map((one) => ({
        label: one.label,
        stroke: colour(one.colour),
        fill: one.fill ? colour(one.fill) : undefined,
        width: 1.5,
        points: { show: few, size: 5, fill: colour(one.colour) },
        spanGaps: false,
        paths: one.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
        value: (plot, value, at, index) => format(index == null ? latest(plot.data[at]) : value),
      })),
    ],
  };
}

// What the legend says while nothing is pointed at.
function latest(values) {
  return values?.findLast((value) => value != null) ?? null;
}

const pad = (value) => String(value).padStart(2, "0");

function timeLabels(_, values, __, ___, step) {
  let day = "";
  return values.map((value) => {
    const date = new Date(value * 1000);
    const here = `${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
    if (step >= 86400) return here;
    const time = `${pad(date.getHours())}:${pad(date.getMinutes())}${step < 60 ? `:${pad(date.getSeconds())}` : ""}`;
    const named = day !== "" && day !== here ? `${here}\n${time}` : time;
    day = here;
    return named;
  });
}

// Bars of a histogram: {label, value, text?}; the tallest is as high as the box.
export function Bars({ bars, label, format = figure, unit = "" }) {
  const most = Math.max(1, ...bars.map((bar) => bar.value));
  const said = `${label}. ${bars.filter((bar) => bar.value).map((bar) => `${bar.label}: ${format(bar.value)}`).join("; ")}`;
  return html`<figure class="chart">
    <div class="bars" role="img" aria-label=${said}>${bars.map((bar) => html`
      <div class="bar" key=${bar.label} title=${`${bar.label}: ${format(bar.value)}${unit}`}>
        <span class="bar-body" style=${{ height: `${bar.value ? Math.max(1.5, (100 * bar.value) / most) : 0}%` }} />
        <span class="bar-label">${bar.short ?? bar.label}</span></div>`)}</div>
    <${AsTable} label=${label} head=${["From", "Tasks"]} rows=${() => bars.map((bar) => [bar.label, format(bar.value)])} />
  </figure>`;
}

// The same as a table, for those who read rather than see; made only when it is opened.
export function AsTable({ label, head, rows }) {
  const [open, setOpen] = useState(false);
  return html`<details class="as-table" onToggle=${(event) => setOpen(event.target.open)}>
    <summary>As a table</summary>
    ${open && html`<div class="table-scroll short" tabindex="0" role="group" aria-label=${label}><table>
      <caption class="unseen">${label}</caption>
      <thead><tr>${head.map((one) => html`<th scope="col" key=${one}>${one}</th>`)}</tr></thead>
      <tbody>${rows().map((row, at) => html`<tr key=${at}>${row.map((one, column) => html`<td key=${column}>${one}</td>`)}</tr>`)}</tbody>
    </table></div>`}
  </details>`;
}
