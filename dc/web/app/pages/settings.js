// What is set of the server, and changed while it runs; and who submits jobs, with their weights.
import { html } from "../../vendor/vendor.js";
import { send } from "../api.js";
import { confirm, form } from "../dialog.js";
import { count, figure, size } from "../format.js";
import { useData } from "../live.js";
import { administers, may } from "../me.js";
import { Action, Badge, Fetched, Figures, Page, Section, Time } from "../parts.js";
import { Table } from "../table.js";
import { Text, cut, visible } from "../text.js";
import { Line } from "../workers_shared.js";

export default function Settings() {
  const settings = useData("/api/settings");
  const status = useData("/api/status");
  const submitters = useData("/api/submitters");
  return html`<${Page} title="Settings">
    <${Section} title="Server"><${Fetched} from=${status} lines=${4}>${(data) => html`<${Server} status=${data} />`}<//><//>
    <${Section} title="Settings"><${Fetched} from=${settings} lines=${10}>${(data) => html`
      <${All} settings=${data.settings} after=${settings.reload} />`}<//><//>
    ${administers() && html`<${Section} title="Access" tools=${html`<a href="/access/audit">Audit log</a>`}>
      <p><a href="/access">Tokens, sessions, groups and keys of workers</a>: who is let in, and what they may do.
        <a href="/workers/add">Add a computer</a> makes a join code.</p><//>`}
    <${Section} title="Submitters" note="Shares of the workers, by weight"><${Fetched} from=${submitters} lines=${3}>${(data) => html`
      <${Submitters} of=${data.submitters} after=${submitters.reload} />`}<//><//>
  <//>`;
}

function Server({ status }) {
  return html`<${Figures} of=${[
    ["Software", html`<${Text} value=${status.software} max=${60} />`],
    ["Address", html`<${Text} value=${status.address} max=${80} mono />`],
    ["Data folder", html`<${Text} value=${status.data} max=${120} mono />`],
    status.identity && ["Identity", html`<${Text} value=${status.identity} max=${16} fixed mono />`],
    ["Started", html`<${Time} at=${status.started} />`],
    ["Stored", html`${size(status.bytes)}${status.disk_free != null && html` <span class="soft">(${size(status.disk_free)} free)</span>`}`],
    ["Task types", html`<a href="/plugins?tab=types">${count(status.types)}</a>`],
    may() && ["Backup", html`<a href="/api/backup" download>Download</a>`],
  ]} />`;
}

// --- settings -----------------------------------------------------------------------------------

const ORIGINS = { default: "queued", "command line": "info", operator: "done" };

function All({ settings, after }) {
  const columns = [
    { key: "name", title: "Setting", head: true, cell: (one) => html`<code>${one.name}</code>
      <span class="below wrap"><${Text} value=${one.doc} max=${300} /></span>` },
    { key: "value", title: "Value", cell: (one) => html`<${Text} value=${one.text || one.value || "none"} max=${120} />` },
    { key: "origin", title: "From", cell: (one) => html`<${Badge} state=${ORIGINS[one.origin]} text=${one.origin} />` },
    { key: "change", title: "Change", unseen: true, cell: (one) => html`<${Change} setting=${one} after=${after} />` },
  ];
  return html`<${Table} caption="What is set of the server" columns=${columns} rows=${settings} rowKey=${(one) => one.name} empty="Nothing can be set." />`;
}

function Change({ setting, after }) {
  if (!may()) return null;
  if (!setting.changeable) return html`<div class="buttons nowrap-buttons soft nowrap">at its start</div>`;
  const set = async (value) => {
    await send("PATCH", "/api/settings", { [setting.name]: value });
    after(); // not what it answered: that of another change may have come first
  };
  const change = () => form({
    title: `Change ${setting.name}`, text: setting.doc, action: "Change it",
    fields: html`<${Line} label="Value" name="value" value=${setting.value} help=${`Now: ${setting.text || setting.value || "none"}`} />`,
    async act(answer) {
      const before = setting.origin === "operator" ? setting.value : null;
      await set(answer.get("value"));
      return { text: `Changed ${setting.name}.`, undo: () => set(before) };
    },
  });
  const reset = async () => {
    const sure = await confirm({
      title: `Reset ${setting.name}?`, text: "What the command line says holds again, or else the default.", action: "Reset it",
    });
    if (!sure) return null;
    await set(null);
    return { text: `Reset ${setting.name}.`, undo: () => set(setting.value) };
  };
  return html`<div class="buttons nowrap-buttons"><${Action} act=${change} kind="small" label=${`Change ${setting.name}`}>Change…<//>
    ${setting.origin === "operator" && html`<${Action} act=${reset} kind="small" label=${`Reset ${setting.name}`}>Reset…<//>`}</div>`;
}

// --- submitters ---------------------------------------------------------------------------------

function Submitters({ of: submitters, after }) {
  const columns = [
    { key: "name", title: "Submitter", head: true, cell: (one) => html`<a href=${`/jobs?submitter=${encodeURIComponent(one.name)}`}>
      <${Text} value=${one.name} max=${80} fixed /></a>` },
    { key: "weight", title: "Weight", number: true, cell: (one) => figure(one.weight) },
    { key: "jobs", title: "Unfinished jobs", number: true, cell: (one) => count(one.jobs) },
    { key: "bytes", title: "Stored", number: true, cell: (one) => size(one.bytes) },
    { key: "change", title: "Change", unseen: true, cell: (one) => html`<${Weigh} submitter=${one} after=${after} />` },
  ];
  return html`<${Table} caption="Who submits jobs" columns=${columns} rows=${submitters} rowKey=${(one) => one.name}
    empty="Nobody has submitted a job yet, or said who it is." />`;
}

function Weigh({ submitter, after }) {
  const who = visible(cut(submitter.name, 60));
  const path = `/api/submitters/${encodeURIComponent(submitter.name)}`;
  if (!may()) return null;
  const set = async (weight) => {
    await send("PATCH", path, { weight });
    after();
  };
  const change = () => form({
    title: `The weight of ${who}`, action: "Change it",
    text: "Who has weight 2 gets twice what those get who have 1, where workers are short.",
    fields: html`<${Line} label="Weight" name="weight" value=${String(submitter.weight)} help="0.001 to 1000" />`,
    async act(answer) {
      await set(Number(answer.get("weight")));
      return { text: `Changed the weight of ${who}.`, undo: () => set(submitter.weight) };
    },
  });
  return html`<div class="buttons nowrap-buttons"><${Action} act=${change} kind="small" label=${`Change the weight of ${who}`}>Weight…<//></div>`;
}
