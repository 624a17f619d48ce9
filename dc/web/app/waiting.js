// Computers that want to become workers, and wait for somebody's yes.
import { html, useEffect } from "../vendor/vendor.js";
import { send } from "./api.js";
import { confirm, form } from "./dialog.js";
import { plural } from "./format.js";
import { Field } from "./forms.js";
import { useData } from "./live.js";
import { administers } from "./me.js";
import { Action, Figures, Time } from "./parts.js";
import { Text, cut, visible } from "./text.js";

const AGAIN_MS = 4000; // the stream says nothing of them

// Those that wait, kept fresh, and the way to ask again; none for who may not let them in.
export function useWaiting() {
  const keys = useData(administers() ? "/api/worker-keys" : "", { on: "workers" });
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden && administers()) keys.reload(); }, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return { waiting: (keys.data?.keys ?? []).filter((one) => one.state === "pending"), reload: keys.reload };
}

// As what needs attention on the first page.
export function waitingNote(waiting) {
  if (!waiting.length) return [];
  const [first] = waiting;
  const who = waiting.length === 1 ? `${visible(cut(first.name, 60))} waits` : `${plural(waiting.length, "computer")} wait`;
  return [{ kind: "pending", level: "warning", text: `${who} to be let in as a worker`, since: first.created, link: "/workers" }];
}

export const keyPath = (one) => `/api/worker-keys/${encodeURIComponent(one.key)}`;

// Groups to choose from, in a form; `value` is chosen first.
export function GroupChoice({ value = "", groups = [], none = "No group: any task type" }) {
  const names = [...new Set([...groups.map((one) => one.name), value])].filter(Boolean);
  return html`<${Field} label="Group">${(id) => html`<select id=${id} name="group">
    <option value="" selected=${!value}>${none}</option>
    ${names.map((name) => html`<option key=${name} value=${name} selected=${name === value}>${visible(cut(name, 60))}</option>`)}
  </select>`}<//>`;
}

export function Waiting() {
  const { waiting, reload } = useWaiting();
  const groups = useData(administers() ? "/api/groups" : "");
  return html`<div role="status" aria-live="polite">${waiting.length > 0 && html`
    <section class="panel waiting" aria-labelledby="waiting">
      <div class="panel-head"><h2 id="waiting">Waiting to be let in</h2>
        <span class="soft">${plural(waiting.length, "computer")}</span></div>
      <p class="help">Let a computer in only if you know it. Where there is a number, the computer shows the same one on its
        own screen; if it shows another, somebody is in between.</p>
      <ul class="rows">${waiting.map((one) => html`<${OneWaiting} key=${one.key} one=${one}
        groups=${groups.data?.groups ?? []} after=${reload} />`)}</ul>
    </section>`}</div>`;
}

function OneWaiting({ one, groups, after }) {
  const name = visible(cut(one.name, 60));
  const approve = () => form({
    title: `Let ${name} in?`, action: "Let it in",
    text: one.number ? `It becomes a worker from now on. Does its screen show ${spaced(one.number)}?`
      : "It becomes a worker from now on, whatever its address.",
    fields: html`<${GroupChoice} value=${one.group} groups=${groups} />`,
    async act(answer) {
      await send("POST", `${keyPath(one)}/approve`, { group: answer.get("group") });
      after();
      return `Let ${name} in.`;
    },
  });
  const refuse = async () => {
    const sure = await confirm({
      title: `Refuse ${name}?`, text: "It is told so, and forgotten here. It may ask again.", action: "Refuse it", danger: true,
    });
    if (!sure) return null;
    await send("DELETE", keyPath(one));
    after();
    return `Refused ${name}.`;
  };
  return html`<li class="row top waiting-row">
    ${one.number && html`<div class="join-number"><span class="unseen">Its number: </span>${spaced(one.number)}</div>`}
    <div class="row-main"><strong><${Text} value=${one.name} max=${60} /></strong>
      <span class="below"><${Text} value=${one.address} max=${60} fixed mono />, <${Time} at=${one.created} />
        ${one.invite && html`, by invite <code>${visible(cut(one.invite, 16))}</code>`}</span>
      <${Figures} of=${Object.entries(one.about).map(([what, value]) => [visible(cut(what, 40)), html`<${Text} value=${value} max=${120} />`])} />
      <details><summary>Its key</summary><${Text} value=${one.key} max=${80} mono /></details></div>
    <div class="buttons"><${Action} act=${approve} kind="primary" icon="done" label=${`Let ${name} in`}>Let it in…<//>
      <${Action} act=${refuse} kind="quiet-danger" icon="close" label=${`Refuse ${name}`}>Refuse…<//></div>
  </li>`;
}

// Six digits as two halves: 123 456.
function spaced(number) {
  return `${number.slice(0, 3)} ${number.slice(3)}`;
}
