// Add a computer: makes a join code, and shows it once, in all the ways in which it is used.
import { html, useLayoutEffect, useMemo, useState } from "../../vendor/vendor.js";
import { send } from "../api.js";
import { Boot } from "../boot.js";
import { confirm } from "../dialog.js";
import { count } from "../format.js";
import { Field } from "../forms.js";
import { useData } from "../live.js";
import { may } from "../me.js";
import { Action, Badge, Fetched, Note, Page, Section, Time } from "../parts.js";
import { Qr } from "../qr.js";
import { Lifetimes, Secret, SHORT } from "../secret.js";
import { Table } from "../table.js";
import { Text, cut, visible } from "../text.js";
import { toast } from "../toast.js";
import { GroupChoice } from "../waiting.js";

const CRUMBS = [["Workers", "/workers"]];
const MOST_USES = 1_000_000;
const DAY = 86400;

export default function Add() {
  const invites = useData(may() ? "/api/invites" : "");
  const [made, setMade] = useState(null);
  if (!may()) return html`<${Page} title="Add a computer" crumbs=${CRUMBS}><${Note} level="warning">Only who administers the server can add computers.<//><//>`;
  const take = (next) => { setMade(next); invites.reload(); };
  return html`<${Page} title="Add a computer" crumbs=${CRUMBS}>
    ${made ? html`<${Made} made=${made} again=${() => setMade(null)} />` : html`<${Make} take=${take} />`}
    <${Section} title="Invites"><${Fetched} from=${invites} lines=${5}>${(data) => html`
      <${Invites} of=${data.invites} after=${invites.reload} />`}<//><//>
  <//>`;
}

// --- making one ---------------------------------------------------------------------------------

function Make({ take }) {
  const groups = useData("/api/groups");
  const [any, setAny] = useState(false);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      take(await send("POST", "/api/invites", wantedOf(new FormData(event.target))));
    } catch (problem) {
      toast(problem.message, { level: "error" });
      setBusy(false);
    }
  };
  return html`<form class="panel" aria-label="A join code" onSubmit=${submit}>
    <p>A join code is all that another computer needs: where this server is, how to know it, and a secret that lets it in.</p>
    <div class="parts add-parts">
      <${Field} label="How many computers">${(id) => html`<div class="uses">
        <input id=${id} name="uses" type="number" min="1" max=${MOST_USES} defaultValue="1" required disabled=${any} />
        <label class="check"><input type="checkbox" name="any" checked=${any} onChange=${(event) => setAny(event.target.checked)} />
          <span>any number</span></label></div>`}<//>
      <${Field} label="For how long can it be used">${(id) => html`<${Lifetimes} id=${id} of=${SHORT} chosen=${DAY} />`}<//>
      <${GroupChoice} groups=${groups.data?.groups ?? []} />
      <${Words} label="What for" name="name" help="For people, such as: the lab's desktops. May be empty." />
    </div>
    <label class="check"><input type="checkbox" name="approve" /><span>Each computer waits until somebody lets it in here</span></label>
    <details><summary>More</summary>
      <${Words} label="Addresses of this server" name="addresses"
        help="As HOST:PORT, with spaces between them, the likeliest first. Empty: those that the server knows of itself." />
      <label class="check"><input type="checkbox" name="public" /><span>The server has a certificate that browsers accept:
        check that one, instead of the server's own key</span></label>
    </details>
    <div class="buttons submit-row"><button type="submit" class="primary" aria-busy=${busy}>Make the join code</button></div>
  </form>`;
}

// A line that keeps what was typed, however often the form is drawn.
function Words({ label, name, help }) {
  return html`<${Field} label=${label} help=${help}>${(id, described) => html`<input id=${id} name=${name} type="text"
    maxlength="1000" autocomplete="off" aria-describedby=${described} />`}<//>`;
}

// What the form says, as the API takes it.
function wantedOf(said) {
  return {
    name: said.get("name"),
    uses: said.get("any") !== null ? null : Number(said.get("uses")),
    lifetime: Number(said.get("lifetime")),
    approve: said.get("approve") !== null,
    group: said.get("group"),
    addresses: said.get("addresses").split(/[\s,]+/).filter(Boolean),
    public: said.get("public") !== null,
  };
}

// --- what was made ------------------------------------------------------------------------------

function Made({ made, again }) {
  const { invite } = made;
  const file = useMemo(() => URL.createObjectURL(new Blob([made.file], { type: "text/plain" })), [made.file]);
  useLayoutEffect(() => {
    document.getElementById("made")?.focus();
    return () => URL.revokeObjectURL(file);
  }, [file]);
  return html`<section class="panel" aria-labelledby="made">
    <div class="panel-head"><h2 id="made" tabindex="-1">The join code</h2>
      <span class="soft">for ${usesText(invite.uses)}, until <${Time} at=${invite.expires} long /></span></div>
    <${Note} level="warning">It is shown this once: whoever has it can let a computer in.${invite.approve
      ? " Each one waits until somebody lets it in here." : ""}<//>
    <div class="made">
      <div class="made-lines">
        <${Secret} label="In a terminal of the other computer" value=${made.shell} />
        <${Secret} label="The code alone" value=${made.code} />
        <${Secret} label="Behind the kernel's command line, for a boot from the network (PXE)" value=${made.pxe} />
        <div class="buttons"><a class="button" href=${file} download="dc-invite.txt">Save as a file, for a boot image</a>
          <button type="button" onClick=${again}>Make another</button></div>
      </div>
      ${made.qr.length > 0 && html`<figure><${Qr} rows=${made.qr} label="The join code as a QR code" />
        <figcaption class="help">The same as a QR code</figcaption></figure>`}
    </div>
    <${Boot} made=${made} />
  </section>`;
}

function usesText(uses) {
  return uses === null ? "any number of computers" : uses === 1 ? "one computer" : `${count(uses)} computers`;
}

// --- those there are ----------------------------------------------------------------------------

const STATES = { valid: "done", used: "queued", expired: "queued", revoked: "failed" };

function Invites({ of: invites, after }) {
  const columns = [
    { key: "name", title: "Invite", head: true, cell: (one) => html`<${Text} value=${one.name || "without a name"} max=${60} />
      <span class="below"><code>${one.id}</code></span>` },
    { key: "purpose", title: "For", cell: (one) => (one.purpose === "worker"
      ? html`workers${one.group && html`<span class="below">group <${Text} value=${one.group} max=${40} fixed /></span>`}
        ${one.approve && html`<span class="below">each is approved</span>`}`
      : html`signing in<span class="below">${one.roles.join(", ")}</span>`) },
    { key: "state", title: "State", cell: (one) => html`<${Badge} state=${STATES[one.state]} text=${one.state} />` },
    { key: "uses", title: "Left", number: true, cell: (one) => (one.uses === null ? "any number" : count(one.uses)) },
    { key: "created", title: "Made", number: true, cell: (one) => html`<${Time} at=${one.created} />` },
    { key: "expires", title: "Ends", number: true, cell: (one) => html`<${Time} at=${one.expires} />` },
    { key: "revoke", title: "Revoke", unseen: true, cell: (one) => one.state === "valid" && html`<${Revoke} invite=${one} after=${after} />` },
  ];
  return html`<${Table} caption="Invites" columns=${columns} rows=${invites} rowKey=${(one) => one.id}
    empty="There are no invites: those that let somebody in, and those of late, are listed here." />`;
}

function Revoke({ invite, after }) {
  const who = visible(cut(invite.name || invite.id, 60));
  const revoke = async () => {
    const sure = await confirm({
      title: `Revoke the invite ${who}?`, text: "Nobody gets in by it any more. Who has joined by it stays.", action: "Revoke it", danger: true,
    });
    if (!sure) return null;
    await send("DELETE", `/api/invites/${encodeURIComponent(invite.id)}`);
    after();
    return `Revoked the invite ${who}.`;
  };
  return html`<div class="buttons nowrap-buttons"><${Action} act=${revoke} kind="small quiet-danger" label=${`Revoke the invite ${who}`}>Revoke…<//></div>`;
}
