// The way in: by a token, or by a link that works once.
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { useCell } from "../cell.js";
import { Field } from "../forms.js";
import { linkCode, me, signIn, wanted } from "../me.js";
import { Note, Page } from "../parts.js";
import { go } from "../router.js";
import { Text } from "../text.js";

export default function SignIn({ query }) {
  const who = useCell(me);
  const code = useCell(linkCode);
  const [state, setState] = useState({ busy: false, problem: "" });
  const on = () => go(wanted(query), { replace: true });
  const enter = async (secret) => {
    setState({ busy: true, problem: "" });
    try {
      await signIn(secret);
      on();
    } catch (problem) {
      linkCode.set(""); // a link works once: what is tried again is something else
      setState({ busy: false, problem: problem.message });
    }
  };
  const already = !who?.needed || who.signed_in;
  useEffect(() => { if (code && who && !already) enter(code); }, [code, Boolean(who)]);
  return html`<${Page} title="Sign in">
    <div class="sign-in panel">
      ${already ? html`<${Already} who=${who} code=${code} enter=${enter} on=${on} busy=${state.busy} />` : html`<${Form} enter=${enter} state=${state} />`}
    </div><//>`;
}

// Whoever is signed in is not signed in as somebody else without being asked.
function Already({ who, code, enter, on, busy }) {
  if (!who?.needed) {
    return html`<p>This server listens to its own computer alone: nobody has to sign in.</p>
      <div class="buttons"><button type="button" class="primary" onClick=${on}>Go on</button></div>`;
  }
  return html`<p>You are signed in as <${Text} value=${who.name || who.token} max=${60} fixed />.</p>
    ${code && html`<${Note} level="warning">A sign-in link was opened. If you did not ask for one, do not use it.<//>`}
    <div class="buttons"><button type="button" class="primary" onClick=${on}>Go on</button>
      ${code && html`<button type="button" aria-busy=${busy} onClick=${() => enter(code)}>Sign in by the link instead</button>`}</div>`;
}

function Form({ enter, state }) {
  const submit = (event) => {
    event.preventDefault();
    const secret = new FormData(event.target).get("secret").trim();
    if (secret && !state.busy) enter(secret);
  };
  return html`<form onSubmit=${submit}>
    <div role="alert">${state.problem && html`<${Note} level="error"><${Text} value=${state.problem} max=${400} /><//>`}</div>
    <${Field} label="Token" help="It begins with dct_. A sign-in link's code, what stands behind its #, does as well.">${(id, described) => html`
      <input id=${id} name="secret" type="password" required maxlength="200" autocomplete="current-password" spellcheck="false"
        aria-describedby=${described} />`}<//>
    <button type="submit" class="primary" aria-busy=${state.busy}>Sign in</button>
    <p class="help">On the server's computer, <code>python -m dc sign-in-link</code> makes a link that signs a browser in once.</p>
  </form>`;
}
