// Sizes, spans and times as people type them.
const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)(b?)$/i;
const POWERS = { "": 0, k: 1, m: 2, g: 3, t: 4 };
const SPAN = /^(?:\d+(?:\.\d+)?\s*(?:min|[smhd])\s*)+$/;
const PART = /(\d+(?:\.\d+)?)\s*(min|[smhd])/g;
const SECONDS = { s: 1, m: 60, min: 60, h: 3600, d: 86400 };

// Bytes of "512 MiB", "2G" (as much as 2 GiB), "2 GB" or "1000", as on the command line; NaN if it is none.
export function bytesOf(text) {
  const found = SIZE.exec(text.trim());
  if (!found) return NaN;
  const [, number, prefix, binary, suffix] = found;
  const base = suffix && !binary ? 1000 : 1024;
  return Math.round(Number(number) * base ** POWERS[prefix.toLowerCase()]);
}

// Seconds of "90", "90s", "10m" or "1d 12h"; NaN if it is none.
export function secondsOf(text) {
  const said = text.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(said)) return Number(said);
  if (!SPAN.test(said)) return NaN;
  return [...said.matchAll(PART)].reduce((sum, [, many, unit]) => sum + Number(many) * SECONDS[unit], 0);
}

// The Unix time of what an input of a date and a time says, in the reader's zone; NaN if it is none.
export function timeOfInput(text) {
  return new Date(text).getTime() / 1000;
}

export const MEASURES = {
  size: { read: bytesOf, doc: "a size, such as 512 MiB or 4G" },
  span: { read: secondsOf, doc: "seconds, or such as 10m or 1h 30m" },
  moment: { read: timeOfInput, doc: "a date and a time, in your zone" },
};
