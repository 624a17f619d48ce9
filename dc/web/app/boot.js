// How a computer boots into a worker by an invite: from a stick or a CD, or from the network.
import { html, useState } from "../vendor/vendor.js";
import { Field } from "./forms.js";
import { Note } from "./parts.js";
import { Secret } from "./secret.js";
import { Block } from "./text.js";

const MOST_SLOTS = 10_000;
const LABEL = /^[^=\s][^=]*=.*$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

// `made` is an invite that was made: `boot`, `iso` and `iso_arm64` are empty if the server has no image.
export function Boot({ made }) {
  if (!made.boot) {
    return html`<div class="boot-way"><h3>Boot it into a worker</h3>
      <${Note}>A computer can boot into a worker, from a stick or from the network, and nothing on its disks is changed. This
        server has no image for that yet: run <code>make os-image</code> in the folder <code>os</code> of dc's source, and start
        the server with <code>--os-image os/out</code>.<//></div>`;
  }
  return html`${made.iso && html`<${Stick} made=${made} />`}<${Network} made=${made} />`;
}

// --- a stick ------------------------------------------------------------------------------------

function Stick({ made }) {
  const [slots, setSlots] = useState("");
  const [labels, setLabels] = useState("");
  const [name, setName] = useState("");
  const lines = labels.split("\n").map((line) => line.trim()).filter(Boolean);
  const odd = lines.find((line) => !LABEL.test(line));
  const wrong = {
    slots: slots && !(Number.isInteger(Number(slots)) && Number(slots) >= 1 && Number(slots) <= MOST_SLOTS)
      ? "A whole number from 1 on, or nothing." : "",
    labels: odd ? `Each line is KEY=VALUE, and this is none: ${odd.slice(0, 60)}` : "",
    name: name && !NAME.test(name) ? "Letters, digits, dots and hyphens; or nothing." : "",
  };
  const ready = !wrong.slots && !wrong.labels && !wrong.name;
  const more = [slots && ["slots", slots], name && ["name", name], ...lines.map((line) => ["label", line])].filter(Boolean);
  return html`<div class="boot-way"><h3>Boot from a stick or a CD</h3>
    <p>The image has the join code in it. Write it to a stick, and start a computer from that: it is a worker until it is
      switched off, and nothing on its disks is changed.</p>
    <div class="parts add-parts">
      <${Field} label="Tasks at a time" problem=${wrong.slots} help="Empty: one for each processor.">${(id, described) => html`
        <input id=${id} type="number" min="1" max=${MOST_SLOTS} value=${slots} aria-describedby=${described}
          onInput=${(event) => setSlots(event.target.value)} />`}<//>
      <${Field} label="Labels" problem=${wrong.labels} help="KEY=VALUE, each on a line, such as room=12.">${(id, described) => html`
        <textarea id=${id} rows="2" value=${labels} aria-describedby=${described}
          onInput=${(event) => setLabels(event.target.value)} />`}<//>
      <${Field} label="Name of the computer" problem=${wrong.name} help="Empty: made of its network card. For one computer alone.">
        ${(id, described) => html`<input id=${id} type="text" maxlength="63" autocomplete="off" value=${name}
          aria-describedby=${described} onInput=${(event) => setName(event.target.value)} />`}<//>
    </div>
    <div class="buttons">
      <${Image} place=${made.iso} more=${more} ready=${ready} file="dc-worker.iso">Download the image<//>
      ${made.iso_arm64 && html`<${Image} place=${made.iso_arm64} more=${more} ready=${ready} file="dc-worker-arm64.iso">
        Download the image for ARM<//>`}
    </div>
    <p class="help">To write it: on Linux and macOS <code>sudo dd if=dc-worker.iso of=/dev/sdX bs=4M</code>, where <code>sdX</code> is
      the stick, all of which is overwritten; on Windows Rufus, in its DD mode; or balenaEtcher. Whoever has the stick can read
      the join code on it.</p></div>`;
}

// A link to an image, with what is to be written into it; none while that cannot be.
function Image({ place, more, ready, file, children }) {
  if (!ready) return html`<button type="button" disabled>${children}</button>`;
  const url = new URL(place);
  for (const [name, value] of more) url.searchParams.append(name, value);
  // From this page's own address: the browser trusts it already.
  return html`<a class="button" href=${url.pathname + url.search} download=${file}>${children}</a>`;
}

// --- the network --------------------------------------------------------------------------------

function Network({ made }) {
  return html`<div class="boot-way"><h3>Boot from the network</h3>
    <${Secret} label="The address for iPXE" value=${made.boot}
      help="It is read without TLS, as boot loaders trust no key of this server: in a network in which others listen, have each computer wait for a yes." />
    <details><summary>With dnsmasq</summary>
      <p class="help">Where dnsmasq gives out the addresses of the network, these lines have computers that boot from it load
        iPXE (Debian's package <code>ipxe</code>), and iPXE the image. Beside a router that gives out addresses itself, other
        lines are needed: they are in <code>docs/boot.md</code>.</p>
      <${Block} value=${dnsmasq(made.boot)} label="the lines for dnsmasq" copy />
    </details></div>`;
}

function dnsmasq(place) {
  return `enable-tftp
tftp-root=/usr/lib/ipxe
dhcp-userclass=set:ipxe,iPXE
dhcp-match=set:uefi,option:client-arch,7
dhcp-match=set:uefi,option:client-arch,9
dhcp-boot=tag:!ipxe,tag:!uefi,undionly.kpxe
dhcp-boot=tag:!ipxe,tag:uefi,ipxe.efi
dhcp-boot=tag:ipxe,${place}
`;
}
