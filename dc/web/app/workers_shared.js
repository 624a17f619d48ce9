// What operators do with workers, from their list and from a worker's own page.
import { html } from "../vendor/vendor.js";
import { send } from "./api.js";
import { confirm, form } from "./dialog.js";
import { plural } from "./format.js";
import { Field } from "./forms.js";
import { workerLink } from "./router.js";
import { cut, visible } from "./text.js";

const shown = (name) => visible(cut(name, 60));

// How several workers are called in a sentence.
export function named(names) {
  return names.length === 1 ? shown(names[0]) : plural(names.length, "worker");
}

export const workerPath = (name) => `/api/workers/${encodeURIComponent(name)}`;
export { workerLink };

// `which` says who is meant: {names} exactly, or {states, labels, all} of a filter.
const order = (action, which, more = {}) => send("POST", `/api/workers/${action}`, { ...meant(which), ...more });
const meant = (which) => (which.names ? { names: which.names, exact: true } : which);
const resumed = (which) => () => order("resume", which);

// Each asks where it must, does it, and gives what is said of it; null if it was not wanted.
//   which: as above; who: these in words.
export const DEEDS = {
  async pause(which, who) {
    await order("pause", which);
    return { text: `Paused ${who}: nothing new is given to it.`, undo: resumed(which) };
  },
  async drain(which, who) {
    await order("drain", which);
    return { text: `${who} finishes what it holds, and takes nothing new.`, undo: resumed(which) };
  },
  async resume(which, who) {
    await order("resume", which);
    return `Resumed ${who}.`;
  },
  async stop(which, who) {
    const sure = await confirm({
      title: `Stop ${who}?`,
      text: "Its program ends now. Tasks that run there are stopped and go to others. To have it back, start it again on its computer.",
      action: "Stop it", danger: true,
    });
    if (!sure) return null;
    await order("stop", which);
    return `Told ${who} to stop.`;
  },
  restart: (which, who) => ended("restart", which, {
    title: `Restart ${who}?`,
    text: "Its program starts anew in its own place, with another version of dc or of its plugins if there is one.",
    action: "Restart it",
    said: `Told ${who} to restart.`,
  }),
  off: (which, who) => ended("power-off", which, {
    title: `Power off the computer of ${who}?`,
    text: "It comes back by Wake, if its firmware and its network card allow that, or by its own power button.",
    action: "Power it off", danger: true,
    said: `Told the computer of ${who} to power off.`,
  }),
  reboot: (which, who) => ended("reboot", which, {
    title: `Reboot the computer of ${who}?`,
    text: "It boots anew from what its firmware has boot first, and its worker comes back by itself.",
    action: "Reboot it",
    said: `Told the computer of ${who} to reboot.`,
  }),
  reread: (which, who) => ended("reread", which, {
    title: `Have ${who} read its configuration anew?`,
    text: "Its program starts anew with what its boot line, its image and the network's DHCP say now.",
    action: "Read it anew",
    said: `Told ${who} to read its configuration anew.`,
  }),
  async wake(which, who) {
    const { networks } = await order("wake", which);
    return `Sent a call to wake to ${who}, in ${plural(networks.length, "network")}. Nobody says whether it was heard.`;
  },
  async remove(which, who) {
    const sure = await confirm({
      title: `Delete ${who}?`,
      text: "It goes from the list, its tasks go to others, and it is refused from now on. This cannot be undone: its computer comes back only as another worker, started with --new-key.",
      action: "Delete it", danger: true,
    });
    if (!sure) return null;
    await order("delete", which);
    return `Deleted ${who}.`;
  },
  label: (which, who) => form({
    title: `A label for ${who}`,
    text: "A label counts for what jobs require of workers. It stands beside their own, or over one of them.",
    action: "Set the label",
    fields: html`<${Line} label="Label" name="label" required=${true} /><${Line} label="Value" name="value" />
      <label class="check"><input type="checkbox" name="remove" /><span>Take this label away instead</span></label>`,
    async act(answer) {
      const value = answer.get("remove") !== null ? null : answer.get("value");
      await set(which, { labels: { [answer.get("label")]: value } });
      return `Changed the label of ${who}.`;
    },
  }),
  slots: (which, who) => form({
    title: `Slots of ${who}`,
    text: "How many tasks it runs at one time. Empty: as many as it was started with.",
    action: "Set the slots",
    fields: html`<${Line} label="Slots" name="slots" kind="number" />`,
    async act(answer) {
      await set(which, { slots: answer.get("slots") === "" ? null : Number(answer.get("slots")) });
      return `Changed the slots of ${who}.`;
    },
  }),
  note: (which, who) => form({
    title: `A note on ${who}`, text: "For people. Empty takes it away.", action: "Keep the note",
    fields: html`<${Line} label="Note" name="note" />`,
    async act(answer) {
      await set(which, { note: answer.get("note") });
      return `Changed the note on ${who}.`;
    },
  }),
};

// Asks whether what runs is to be finished first, and has workers end in a way of theirs.
function ended(action, which, { said, ...asked }) {
  return form({
    ...asked,
    fields: html`<label class="check"><input type="checkbox" name="now" /><span>At once: what it runs goes to others,
      instead of being finished first</span></label>`,
    async act(answer) {
      await order(action, which, { now: answer.get("now") !== null });
      return said;
    },
  });
}

const POWER = [
  ["reread", "Read configuration anew…", "settings", "reread"], ["reboot", "Reboot…", "retry", "reboot"],
  ["off", "Power off…", "power", "off"],
];
const isHere = (worker) => worker.state !== "gone" && worker.state !== "away";

// What can be done with the computers of all of these workers: deeds, with the words and icons of their buttons.
export function powerDeeds(workers) {
  const all = (holds) => workers.length > 0 && workers.every((one) => one.appliance && holds(one));
  const deeds = POWER.filter((deed) => all((one) => isHere(one) && one.appliance.orders.includes(deed[3])));
  if (all((one) => !isHere(one) && one.appliance.macs.length)) deeds.push(["wake", "Wake", "power"]);
  return deeds;
}

function set(which, changes) {
  return send("POST", "/api/workers/set", { ...meant(which), set: changes });
}

// A line of text in a dialog, read by its name.
export function Line({ label, name, value = "", kind = "text", required = false, help }) {
  return html`<${Field} label=${label} help=${help}>${(id, described) => html`<input id=${id} name=${name} type=${kind}
    min=${kind === "number" ? 0 : undefined} max=${kind === "number" ? 10000 : undefined} value=${value} required=${required} maxlength=${1000}
    autocomplete="off" aria-describedby=${described} />`}<//>`;
}

// Does one of them, and looks again at what it changed: at once, and when it is taken back. The stream tells
// only what is other than what it told last, which says nothing of what was asked for in between.
export async function done(deed, which, who, after) {
  const said = await DEEDS[deed](which, who);
  if (said !== null) after();
  return withAfter(said, after);
}

// The same words, with an undo that looks again as well.
export function withAfter(said, after) {
  if (!said?.undo) return said;
  const undo = async () => {
    await said.undo();
    after();
  };
  return { ...said, undo };
}

// Whether what is decided of a worker can be taken back by resume.
export const isHeld = (worker) => worker.state === "paused" || worker.state === "draining";
