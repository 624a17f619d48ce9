// A payload or a result to look at: text, JSON and pictures as such, anything else by its first bytes.
import { html, useEffect, useState } from "../vendor/vendor.js";
import { size as sizeText } from "./format.js";
import { Icon } from "./icons.js";
import { indented } from "./json_text.js";
import { decode, hex, pretty } from "./msgpack.js";
import { Loading, Trouble } from "./parts.js";
import { Block } from "./text.js";

const MOST = 256 * 1024; // of what is larger the beginning is fetched
const HEX_BYTES = 256;
const HEX_ROW = 16;

// Which pictures there are, by the bytes they begin with. No SVG: it is a document, and may do things.
const PICTURES = [
  ["png", [0x89, 0x50, 0x4e, 0x47]],
  ["jpeg", [0xff, 0xd8, 0xff]],
  ["gif", [0x47, 0x49, 0x46, 0x38]],
];

function isPicture(bytes) {
  if (PICTURES.some(([, magic]) => magic.every((byte, at) => bytes[at] === byte))) return true;
  const word = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  return (word(0, 4) === "RIFF" && word(8, 12) === "WEBP") || (word(4, 8) === "ftyp" && word(8, 12) === "avif");
}

function asText(bytes, whole) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !whole });
  } catch {
    return null;
  }
}

// {kind: picture | json | text | bytes, text}
function understood(bytes, codec, whole) {
  if (codec === "msgpack" && whole) {
    try {
      const value = decode(bytes);
      return typeof value === "string" ? { kind: "text", text: value } : { kind: "json", text: pretty(value) };
    } catch {
      // then it is shown as what it looks like
    }
  }
  if (isPicture(bytes)) return { kind: "picture", text: "" };
  const text = asText(bytes, whole);
  if (text === null || text.includes("\0")) return { kind: "bytes", text: dump(bytes) };
  if (whole && /^\s*[[{]/.test(text)) {
    try {
      return { kind: "json", text: indented(text) };
    } catch {
      // then it only begins like JSON
    }
  }
  return { kind: "text", text };
}

function dump(bytes) {
  const rows = [];
  for (let at = 0; at < Math.min(bytes.length, HEX_BYTES); at += HEX_ROW) {
    const row = bytes.subarray(at, at + HEX_ROW);
    const letters = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."));
    rows.push(`${at.toString(16).padStart(4, "0")}  ${hex(row).padEnd(3 * HEX_ROW)} ${letters.join("")}`);
  }
  return rows.join("\n");
}

async function fetched(path, size, signal) {
  const whole = size <= MOST;
  const answer = await fetch(path, { signal, headers: whole ? {} : { Range: `bytes=0-${MOST - 1}` } });
  if (!answer.ok) throw new Error(await answer.text());
  return { bytes: new Uint8Array(await answer.arrayBuffer()), whole };
}

// `codec` is bytes or msgpack; `file` is what it is called once it is downloaded.
export function Bytes({ path, codec, size, label, file }) {
  const [state, setState] = useState(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    setState(null);
    fetched(path, size, control.signal).then(
      ({ bytes, whole }) => setState({ ...understood(bytes, codec, whole), whole }),
      (error) => { if (!control.signal.aborted) setState({ error }); },
    );
    return () => control.abort();
  }, [path, codec, size, turn]);
  return html`<div class="stack">
    ${state === null ? html`<${Loading} lines=${2} />`
      : state.error ? html`<${Trouble} problem=${{ title: `The ${label} cannot be shown`, detail: state.error.message }}
          again=${() => setTurn(turn + 1)} />`
      : html`<${Shown} ...${state} path=${path} size=${size} label=${label} />`}
    <div class="buttons"><a class="button small" href=${path} download=${file}><${Icon} name="download" />
      Download<span class="unseen"> the ${label}</span> (${sizeText(size)})</a></div>
  </div>`;
}

function Shown({ kind, text, whole, path, size, label }) {
  const [broken, setBroken] = useState(false);
  if (kind === "picture" && !broken) {
    return html`<div><a href=${`${path}?view=1`}><img class="picture" src=${`${path}?view=1`} alt=${`The ${label}, a picture`}
      onError=${() => setBroken(true)} /></a></div>`;
  }
  if (kind === "picture") return html`<p class="soft">A picture that the browser cannot show.</p>`;
  const note = kind === "bytes" ? `No text: the first ${Math.min(size, HEX_BYTES)} bytes.`
    : whole ? "" : `The first ${sizeText(MOST)} of ${sizeText(size)}.`;
  return html`${note && html`<p class="soft">${note}</p>`}
    <${Block} value=${text} label=${label} empty="It is empty." />`;
}
