// Form controls with their labels.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { Icon } from "./icons.js";

const SETTLED_MS = 250;
let last = 0;

export function useId(prefix = "field") {
  const id = useRef("");
  if (!id.current) id.current = `${prefix}-${(last += 1)}`;
  return id.current;
}

// What is added within a box gets the focus: call what is returned where one is added, with its place (the last if not said).
//
// It has it as soon as it stands there, so that nothing that is typed at once is lost.
//   entries: a selector of those that are there, seen from the box; `count`: how many there are.
export function useAdded(box, entries, count) {
  const waits = useRef(null);
  useLayoutEffect(() => {
    const at = waits.current;
    waits.current = null;
    if (at !== null) focusIn([...box.current.querySelectorAll(entries)].at(at));
  }, [count]);
  return (at = -1) => { waits.current = at; };
}

// Gives the focus to the first control of a part of a form.
export function focusIn(part) {
  part?.querySelector("input, textarea, select, button:not(.icon-button)")?.focus();
}

// A label, a control, help below it, and what is wrong with it. `children(id, described)` gives the control.
export function Field({ label, help, problem, children }) {
  const id = useId();
  const described = [help && `${id}-help`, problem && `${id}-problem`].filter(Boolean).join(" ") || undefined;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children(id, described)}
    ${help && html`<p class="help" id=${`${id}-help`}>${help}</p>`}
    ${problem && html`<p class="problem" id=${`${id}-problem`}><${Icon} name="sick" />${problem}</p>`}
  </div>`;
}

// A choice whose label stands before it, for the row of filters; options are [value, text] pairs.
export function Choice({ label, value, options, onChange, unseen = false }) {
  return html`<label class="choice"><span class=${unseen ? "unseen" : ""}>${label}</span>
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${options.map(([one, text]) => html`<option key=${one} value=${one} selected=${one === value}>${text}</option>`)}
    </select></label>`;
}

// Words to look for; told once the typing rests.
export function Search({ label, value, onChange, placeholder = label }) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  const told = useRef(value);
  useLayoutEffect(() => { // another one's words, not our own that come back: more may have been typed since
    if (told.current === value) return;
    told.current = value;
    clearTimeout(timer.current); // what was typed before them is gone
    setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const typed = (event) => {
    const words = event.target.value;
    setText(words);
    clearTimeout(timer.current);
    const { pathname } = location;
    timer.current = setTimeout(() => {
      if (location.pathname !== pathname) return; // the address is another page's already, which is on its way
      told.current = words.trim();
      onChange(told.current);
    }, SETTLED_MS);
  };
  return html`<label class="search"><span class="unseen">${label}</span><${Icon} name="search" />
    <input type="search" value=${text} placeholder=${placeholder} onInput=${typed} /></label>`;
}
