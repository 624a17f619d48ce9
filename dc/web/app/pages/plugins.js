// Plugins and their task types: which versions there are, where from, and who can run them.
import { html } from "../../vendor/vendor.js";
import { withQuery } from "../api.js";
import { Doc } from "../doc.js";
import { count, plural, size } from "../format.js";
import { WorkerLink } from "../jobs_shared.js";
import { useData } from "../live.js";
import { may } from "../me.js";
import { Badge, Empty, Fetched, Figures, Note, Page, Tabs, Time } from "../parts.js";
import { shapeOf, wordsOf } from "../schema.js";
import { Copy, Json, Text } from "../text.js";
import { Icon } from "../icons.js";

const TABS = [["plugins", "Plugins"], ["types", "Task types"]];

export default function Plugins({ query }) {
  const at = query.get("tab") === "types" ? "types" : "plugins";
  return html`<${Page} title="Plugins">
    <${Tabs} of=${TABS} at=${at} label="What is shown" address=${(name) => withQuery("/plugins", { tab: name === "plugins" ? "" : name })} />
    ${at === "plugins" ? html`<${Versions} />` : html`<${Types} wanted=${query.get("type") ?? ""} />`}
  <//>`;
}

function Broken({ broken }) {
  return Object.entries(broken).map(([name, why]) => html`<${Note} level="error" key=${name}>
    <strong><${Text} value=${name} max=${80} /></strong> could not be loaded: <${Text} value=${why} max=${400} /><//>`);
}

// --- plugins ------------------------------------------------------------------------------------

function Versions() {
  const plugins = useData("/api/plugins", may("view") ? { on: "workers" } : {});
  return html`<${Fetched} from=${plugins} lines=${10}>${(data) => html`<${Broken} broken=${data.broken} />
    ${data.plugins.length ? data.plugins.map((plugin) => html`<${Plugin} key=${plugin.archive} plugin=${plugin} />`)
      : html`<${Empty}>The server ships no plugins. It has what <code>--plugins</code> names, or what is installed with it.<//>`}`}<//>`;
}

function Plugin({ plugin }) {
  const badge = plugin.in_service ? html`<${Badge} state="done" text="in service" />`
    : html`<${Badge} state="paused" text=${`only for ${plural(plugin.jobs, "job")}`} />`;
  return html`<section class="panel plugin" aria-label=${`Plugin ${plugin.name} ${plugin.version || plugin.archive.slice(0, 8)}`}>
    <div class="panel-head"><h2><${Text} value=${plugin.name} max=${80} fixed /></h2>
      ${plugin.version && html`<span class="soft"><${Text} value=${plugin.version} max=${40} fixed /></span>`}${badge}
      <div class="tools"><a class="button small" href=${`/plugins/${plugin.archive}`} download=${`${plugin.name}.zip`}><${Icon} name="download" />Archive</a></div></div>
    ${plugin.note && html`<${Note} level="warning"><${Text} value=${plugin.note} max=${400} /><//>`}
    <${WhoRuns} workers=${plugin.workers} />
    <${Figures} kind="lines" of=${[
      ["Task types", plugin.types.length ? html`<ul class="tags">${plugin.types.map((type) => html`<li class="tag" key=${`${type.name} ${type.version}`}>
        <a href=${typeLink(type)}><${Text} value=${`${type.name} ${type.version}`} max=${80} fixed /></a></li>`)}</ul>` : "none"],
      plugin.place && ["Where from", html`<${Text} value=${plugin.place} max=${200} />`],
      plugin.added != null && ["Since", html`<${Time} at=${plugin.added} />`],
      ["Signed by", plugin.signer ? html`<${Text} value=${plugin.signer} mono />` : html`<span class="soft">nobody</span>`],
      plugin.python && ["Python", html`<${Text} value=${plugin.python} />`],
      plugin.platforms.length > 0 && ["Only for", html`<${Text} value=${plugin.platforms.join(", ")} />`],
      plugin.dependencies.length > 0 && ["Depends on", html`<${Text} value=${plugin.dependencies.join(", ")} max=${300} />`],
      plugin.carried.length > 0 && ["Carries", html`<${Text} value=${plugin.carried.join(", ")} max=${300} />`],
      ["Jobs that run it", count(plugin.jobs)],
      ["Archive", html`${size(plugin.size)}, <span class="soft">SHA-256</span> <${Text} value=${plugin.archive} max=${16} fixed mono /> <${Copy} text=${plugin.archive} label="Copy the SHA-256" />`],
    ]} />
  </section>`;
}

function WhoRuns({ workers }) {
  const cannot = Object.entries(workers.cannot);
  const failed = Object.entries(workers.failed);
  const can = workers.own + workers.can;
  return html`<p class=${can ? "" : "bad-text"}>${can ? `${plural(can, "worker")} can run it` : "No worker can run it"}${workers.own
      ? `, ${count(workers.own)} of them with code of their own` : ""}.</p>
    ${cannot.map(([why, some]) => html`<${Note} level="warning" key=${why}>${plural(some.workers, "worker")} cannot: <${Text} value=${why} max=${300} />
      <p class="soft">${some.some.map((name, at) => html`${at > 0 && ", "}<${WorkerLink} key=${name} name=${name} />`)}${some.workers > some.some.length && " and others"}</p><//>`)}
    ${failed.map(([name, why]) => html`<${Note} level="error" key=${name}><${WorkerLink} name=${name} />${" "}could not use it: <${Text} value=${why} max=${300} /><//>`)}`;
}

// --- task types ---------------------------------------------------------------------------------

const typeLink = (type) => withQuery("/plugins", { tab: "types", type: type.name });

function Types({ wanted }) {
  const types = useData("/api/types");
  return html`<${Fetched} from=${types} lines=${10}>${(data) => {
    const shown = wanted ? data.types.filter((type) => type.name === wanted) : data.types;
    return html`<${Broken} broken=${data.broken} />
      ${wanted && html`<p class="filters"><a href="/plugins?tab=types">All task types</a></p>`}
      ${shown.length ? shown.map((type) => html`<${Type} key=${`${type.name} ${type.version}`} type=${type} open=${shown.length === 1} />`)
        : html`<${Empty}>${wanted ? html`There is no task type <${Text} value=${wanted} max=${60} fixed />.` : "There are no task types yet: they come with plugins."}<//>`}`;
  }}<//>`;
}

function Type({ type, open }) {
  const submit = withQuery("/submit", { type: type.name, version: type.version });
  return html`<section class="panel" aria-label=${`Task type ${type.name} ${type.version}`}>
    <div class="panel-head"><h2><${Text} value=${type.name} max=${80} fixed /></h2><span class="soft"><${Text} value=${type.version} max=${40} fixed /></span>
      ${may("submit") && html`<div class="tools"><a class="button small" href=${submit}><${Icon} name="submit" />Submit</a></div>`}</div>
    <${Doc} value=${type.doc} />
    <${Side} title="One task is given" schema=${type.payload_schema} />
    <${Side} title="What comes back" schema=${type.result_schema} />
    <p class="help">From plugin <${Text} value=${type.plugin} max=${80} />${type.archive ? "" : ", which the server does not ship: workers have it themselves"}.</p>
    <details open=${open}><summary>JSON Schemas</summary><div class="columns schemas">
      <${Json} value=${type.payload_schema} label=${`Schema of payloads of ${type.name}`} />
      <${Json} value=${type.result_schema} label=${`Schema of results of ${type.name}`} /></div></details>
  </section>`;
}

// One side of a task type in words: its fields, or what it is as a whole.
function Side({ title, schema }) {
  const shape = shapeOf(schema, schema);
  if (shape.kind !== "object") return html`<p><span class="soft">${title}:</span> <${Text} value=${wordsOf(schema, schema)} max=${300} /></p>`;
  return html`<h3 class="side-title">${title}: <${Text} value=${shape.title} max=${60} fixed /></h3>
    <${Doc} value=${shape.doc} kind="help" />
    <${Figures} kind="lines" of=${shape.fields.map((field) => {
      const part = shapeOf(field.schema, schema);
      const without = part.fallback != null ? `, ${JSON.stringify(part.fallback)} if not given` : field.required || part.kind === "maybe" ? "" : ", may be left out";
      return [html`<${Text} value=${field.name} max=${60} fixed mono />`, html`<${Text} value=${wordsOf(field.schema, schema) + without} max=${300} />
        ${part.doc && html`<span class="below"><${Text} value=${part.doc} max=${300} /></span>`}`];
    })} />`;
}
