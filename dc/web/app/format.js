// Numbers and times as people read them, with their units. The same words as the command line's.
const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const NOTHING = "–";

export function count(value) {
  return value == null ? NOTHING : NUMBER.format(value);
}

// Three digits that matter: 0.123, 1.23, 12.3, 1,234.
export function figure(value) {
  if (value == null) return NOTHING;
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return NUMBER.format(value);
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3).replace(/\.?0+$/, "");
}

export function rate(value) {
  if (value == null) return NOTHING;
  if (value > 0 && value < 0.1) return `${figure(value * 3600)}/h`;
  return `${figure(value)}/s`;
}

export function size(value) {
  if (value == null) return NOTHING;
  let at = 0;
  let left = value;
  while (left >= 1024 && at < UNITS.length - 1) {
    left /= 1024;
    at += 1;
  }
  return at === 0 ? `${left} B` : `${left.toFixed(1)} ${UNITS[at]}`;
}

export function percent(part, whole = 1) {
  if (part == null || !whole) return NOTHING;
  const value = (100 * part) / whole;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  if (value > 99.9 && value < 100) return "99.9 %";
  return `${value.toFixed(value < 10 ? 1 : 0).replace(/\.0$/, "")} %`;
}

// How long, in the two largest units: 340 µs, 12.5 ms, 4.2 s, 3 min 20 s, 5 h 12 min, 3 d 4 h.
export function span(value) {
  if (value == null) return NOTHING;
  if (value < 0) return `−${span(-value)}`;
  if (value === 0) return "0 s";
  if (value < 1e-3) return `${Math.round(value * 1e6)} µs`;
  if (value < 1) return `${figure(value * 1e3)} ms`;
  if (value < 60) return `${figure(value)} s`;
  const [large, small, low, high] =
    value < 3600 ? [60, 1, "min", "s"] : value < 86400 ? [3600, 60, "h", "min"] : [86400, 3600, "d", "h"];
  let whole = Math.floor(value / large);
  let rest = Math.round((value - whole * large) / small);
  if (rest * small >= large) [whole, rest] = [whole + 1, 0];
  return rest && whole < 100 ? `${NUMBER.format(whole)} ${low} ${rest} ${high}` : `${NUMBER.format(whole)} ${low}`;
}

// About how long, in one unit, for what is an estimate: 40 s, 12 min, 30 h, 4 d.
function rough(value) {
  if (value == null) return NOTHING;
  const [unit, name] =
    value < 120 ? [1, "s"] : value < 7200 ? [60, "min"] : value < 172800 ? [3600, "h"] : [86400, "d"];
  return `${NUMBER.format(Math.max(1, Math.round(value / unit)))} ${name}`;
}

// A range of seconds; the unit once where it is the same: 32 to 43 min.
export function range(low, high) {
  const [first, last] = [rough(low), rough(high)];
  if (first === last) return first;
  const [one, other] = [first.split(" "), last.split(" ")];
  return one[1] === other[1] ? `${one[0]} to ${last}` : `${first} to ${last}`;
}

const pad = (value) => String(value).padStart(2, "0");

export function zone(date) {
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60 ? `:${pad(size % 60)}` : "";
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
}

// A Unix time with its zone.
export function moment(at) {
  if (at == null) return NOTHING;
  const date = new Date(at * 1000);
  return `${day(date)} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())} ${zone(date)}`;
}

export function day(date) {
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

// A moment from now: "in 5 min", "3 h ago", "just now"; by the larger unit alone.
export function ago(at, now) {
  if (at == null) return NOTHING;
  const away = Math.abs(now - at);
  if (away < 2) return "just now";
  const [unit, name] =
    away < 60 ? [1, "s"] : away < 3600 ? [60, "min"] : away < 86400 ? [3600, "h"] : [86400, "d"];
  const text = `${NUMBER.format(Math.floor(away / unit))} ${name}`;
  return at > now ? `in ${text}` : `${text} ago`;
}

export function plural(number, one, several = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : several}`;
}

// The name of the file that a part of a task is saved as.
export function fileName(job, number, what = "result") {
  return `job-${job}-task-${number}-${what}`;
}
