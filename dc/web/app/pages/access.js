// Who is let in: tokens, browsers that are signed in, keys of workers, and groups of workers.
import { html, useState } from "../../vendor/vendor.js";
import { send } from "../api.js";
import { confirm, form } from "../dialog.js";
import { count } from "../format.js";
import { Field } from "../forms.js";
import { useData } from "../live.js";
import { may, me } from "../me.js";
import { Action, Badge, Fetched, Note, Page, Section, Time } from "../parts.js";
import { Lifetimes, LONG, Secret } from "../secret.js";
import { Table } from "../table.js";
import { Text, cut, visible } from "../text.js";
import { GroupChoice, keyPath } from "../waiting.js";
import { Line } from "../workers_shared.js";

const CRUMBS = [["Settings", "/settings"]];
const ROLES = [
  ["view", "see everything"], ["submit", "submit jobs, and see and control one's own"],
  ["work", "be a worker"], ["admin", "do everything"],
];
const DAYS_30 = 30 * 86400;

export default function Access() {
  const tokens = useData(may() ? "/api/tokens" : "");
  const groups = useData(may() ? "/api/groups" : "");
  const keys = useData(may() ? "/api/worker-keys" : "", { on: "workers" });
  const [made, setMade] = useState(null);
  if (!may()) return html`<${Page} title="Access" crumbs=${CRUMBS}><${Note} level="warning">Only who administers the server can see who is let in.<//><//>`;
  const take = (next) => { setMade(next); tokens.reload(); };
  const of = (kind) => (data) => html`<${Tokens} of=${data.tokens.filter((one) => one.kind === kind)} kind=${kind} after=${tokens.reload} />`;
  return html`<${Page} title="Access" crumbs=${CRUMBS} actions=${html`<a class="button" href="/access/audit">Audit log</a>
      <a class="button" href="/workers/add">Add a computer</a>`}>
    ${!me.value?.needed && html`<${Note}>This server listens to its own computer alone: nobody has to show a token.<//>`}
    <${Section} title="Tokens" note="For programs and people" tools=${html`<${MakeToken} take=${take} />`}>
      ${made && html`<${Made} made=${made} close=${() => setMade(null)} />`}
      <${Fetched} from=${tokens} lines=${6}>${of("token")}<//><//>
    <${Section} title="Sessions" note="Browsers that are signed in"><${Fetched} from=${tokens} lines=${3}>${of("session")}<//><//>
    <${Section} title="Groups" note="Workers that run some task types alone" tools=${html`<${SetGroup} after=${groups.reload} />`}>
      <${Fetched} from=${groups} lines=${3}>${(data) => html`<${Groups} of=${data.groups} after=${groups.reload} />`}<//><//>
    <${Section} title="Keys of workers" note="Each computer that has joined has its own"><${Fetched} from=${keys} lines=${4}>${(data) => html`
      <${Keys} of=${data.keys} groups=${groups.data?.groups ?? []} after=${keys.reload} />`}<//><//>
  <//>`;
}

// --- tokens -------------------------------------------------------------------------------------

const STATES = { valid: "done", expired: "queued", revoked: "failed", pending: "waiting", joined: "done" };

function Tokens({ of: tokens, kind, after }) {
  const columns = [
    { key: "name", title: kind === "token" ? "Token" : "Who", head: true, cell: (one) => html`<${Text} value=${one.name} max=${60} />
      <span class="below"><code>${one.id}</code>${one.id === me.value?.token ? " · this browser" : ""}</span>` },
    { key: "roles", title: "May", cell: (one) => one.roles.join(", ") },
    { key: "state", title: "State", cell: (one) => html`<${Badge} state=${STATES[one.state]} text=${one.state} />` },
    { key: "used", title: "Last used", number: true, cell: (one) => html`<${Time} at=${one.used} />` },
    { key: "created", title: "Made", number: true, cell: (one) => html`<${Time} at=${one.created} />` },
    { key: "expires", title: "Ends", number: true, cell: (one) => (one.expires == null ? "never" : html`<${Time} at=${one.expires} />`) },
    { key: "revoke", title: "Revoke", unseen: true, cell: (one) => one.state === "valid" && html`<${Revoke} token=${one} after=${after} />` },
  ];
  return html`<${Table} caption=${kind === "token" ? "Tokens" : "Sessions"} columns=${columns} rows=${tokens} rowKey=${(one) => one.id}
    empty=${kind === "token" ? "There are no tokens." : "No browser is signed in."} />`;
}

function MakeToken({ take }) {
  const make = () => form({
    title: "A new token", action: "Make it", text: "Whoever has it may do this, until it ends or is revoked.",
    fields: html`<${Line} label="Name" name="name" required=${true} help="Whose it is, or what for. Jobs that are submitted with it are kept under this name." />
      <fieldset class="part"><legend>It may</legend>${ROLES.map(([role, text]) => html`<label class="check role" key=${role}>
        <input type="checkbox" name="roles" value=${role} /><span><strong>${role}</strong>: ${text}</span></label>`)}</fieldset>
      <${Field} label="It lasts">${(id) => html`<${Lifetimes} id=${id} of=${LONG} chosen=${DAYS_30} />`}<//>`,
    async act(answer) {
      if (!answer.getAll("roles").length) throw new Error("A token that may do nothing is of no use: choose what it may.");
      const lifetime = answer.get("lifetime");
      take(await send("POST", "/api/tokens", {
        roles: answer.getAll("roles"), name: answer.get("name"), lifetime: lifetime === "" ? null : Number(lifetime),
      }));
      return null;
    },
  });
  return html`<${Action} act=${make} kind="small">Make a token…<//>`;
}

function Made({ made, close }) {
  return html`<div class="shown" role="status"><h3>The token <${Text} value=${made.token.name} max=${60} fixed /></h3>
    <${Secret} label="It is shown this once" value=${made.secret} help="Keep it in a file that only you can read, or in $DC_TOKEN; never on a command line." />
    <button type="button" class="small" onClick=${close}>I have it</button></div>`;
}

function Revoke({ token, after }) {
  const who = visible(cut(token.name || token.id, 60));
  const what = token.kind === "session" ? `the session of ${who}` : `the token ${who}`;
  const revoke = async () => {
    const sure = await confirm({
      title: `Revoke ${what}?`, action: "Revoke it", danger: true,
      text: "Whoever has it is let in no more, at once; browsers that signed in by it as well. This cannot be undone.",
    });
    if (!sure) return null;
    await send("DELETE", `/api/tokens/${encodeURIComponent(token.id)}`);
    after();
    return `Revoked ${what}.`;
  };
  return html`<div class="buttons nowrap-buttons"><${Action} act=${revoke} kind="small quiet-danger" label=${`Revoke ${what}`}>Revoke…<//></div>`;
}

// --- groups -------------------------------------------------------------------------------------

const groupPath = (name) => `/api/groups/${encodeURIComponent(name)}`;

function Groups({ of: groups, after }) {
  const columns = [
    { key: "name", title: "Group", head: true, cell: (one) => html`<${Text} value=${one.name} max=${60} />
      ${one.note && html`<span class="below"><${Text} value=${one.note} max=${120} /></span>`}` },
    { key: "types", title: "Task types", cell: (one) => (one.types.length ? html`<ul class="tags">${one.types.map((type) => html`
      <li class="tag" key=${type}><${Text} value=${type} max=${80} /></li>`)}</ul>` : "all") },
    { key: "workers", title: "Workers", number: true, cell: (one) => count(one.workers) },
    { key: "change", title: "Change", unseen: true, cell: (one) => html`<div class="buttons nowrap-buttons">
      <${SetGroup} group=${one} after=${after} /><${RemoveGroup} group=${one} after=${after} /></div>` },
  ];
  return html`<${Table} caption="Groups" columns=${columns} rows=${groups} rowKey=${(one) => one.name}
    empty="There are no groups: each worker may run any task type." />`;
}

function SetGroup({ group, after }) {
  const who = group && visible(cut(group.name, 60));
  const set = () => form({
    title: group ? `Change the group ${who}` : "A new group", action: group ? "Change it" : "Make it",
    text: "Workers are put into a group as they join. They are given tasks of these types alone.",
    fields: html`${!group && html`<${Line} label="Name" name="name" required=${true} />`}
      <${Line} label="Task types" name="types" value=${group?.types.join(" ") ?? ""}
        help="Names or patterns such as render.*, with spaces between them. Empty: all." />
      <${Line} label="Note" name="note" value=${group?.note ?? ""} />`,
    async act(answer) {
      const name = group ? group.name : answer.get("name");
      await send("PUT", groupPath(name), { types: answer.get("types").split(/[\s,]+/).filter(Boolean), note: answer.get("note") });
      after();
      return group ? `Changed the group ${who}.` : `Made the group ${visible(cut(name, 60))}.`;
    },
  });
  return html`<${Action} act=${set} kind="small" label=${group ? `Change the group ${who}` : undefined}>${group ? "Change…" : "Make a group…"}<//>`;
}

function RemoveGroup({ group, after }) {
  const who = visible(cut(group.name, 60));
  const remove = async () => {
    const sure = await confirm({
      title: `Remove the group ${who}?`, action: "Remove it", danger: true,
      text: "Only a group that nobody is in can be removed: move its workers to another first.",
    });
    if (!sure) return null;
    await send("DELETE", groupPath(group.name));
    after();
    return `Removed the group ${who}.`;
  };
  return html`<${Action} act=${remove} kind="small quiet-danger" label=${`Remove the group ${who}`}>Remove…<//>`;
}

// --- keys of workers ----------------------------------------------------------------------------

function Keys({ of: keys, groups, after }) {
  const columns = [
    { key: "name", title: "Worker", head: true, cell: (one) => html`<${Text} value=${one.name} max=${60} />
      <span class="below"><code>${one.key.slice(0, 16)}</code></span>` },
    { key: "state", title: "State", cell: (one) => html`<${Badge} state=${STATES[one.state]} text=${one.state} />` },
    { key: "group", title: "Group", cell: (one) => one.group && html`<${Text} value=${one.group} max=${40} fixed />` },
    { key: "address", title: "Joined from", cell: (one) => html`<${Text} value=${one.address} max=${60} fixed mono />` },
    { key: "by", title: "Let in by", cell: (one) => html`<${Text} value=${one.by || (one.invite ? `invite ${one.invite}` : "")} max=${60} fixed />` },
    { key: "approved", title: "Since", number: true, cell: (one) => html`<${Time} at=${one.approved ?? one.created} />` },
    { key: "change", title: "Change", unseen: true, cell: (one) => html`<div class="buttons nowrap-buttons">
      ${one.state === "joined" && html`<${Move} one=${one} groups=${groups} after=${after} />`}<${Forget} one=${one} after=${after} /></div>` },
  ];
  return html`<${Table} caption="Keys of workers" columns=${columns} rows=${keys} rowKey=${(one) => one.key} empty="No computer has joined yet." />`;
}

function Move({ one, groups, after }) {
  const who = visible(cut(one.name, 60));
  const move = () => form({
    title: `The group of ${who}`, action: "Move it", text: "A worker in a group is given tasks of the group's types alone.",
    fields: html`<${GroupChoice} value=${one.group} groups=${groups} />`,
    async act(answer) {
      if (answer.get("group") === one.group) return null;
      await send("POST", `${keyPath(one)}/approve`, { group: answer.get("group") });
      after();
      return `Moved ${who}.`;
    },
  });
  return html`<${Action} act=${move} kind="small" label=${`Change the group of ${who}`}>Group…<//>`;
}

function Forget({ one, after }) {
  const who = visible(cut(one.name, 60));
  const forget = async () => {
    const sure = await confirm({
      title: `Forget the key of ${who}?`, action: "Forget it", danger: true,
      text: "The computer is a worker no more, at once; what it runs goes to others. It can join again with a new code.",
    });
    if (!sure) return null;
    await send("DELETE", keyPath(one));
    after();
    return `Forgot the key of ${who}.`;
  };
  return html`<${Action} act=${forget} kind="small quiet-danger" label=${`Forget the key of ${who}`}>Forget…<//>`;
}
