// Characters that cannot be seen, or turn what follows: made visible.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const ONE_LINE = /[\t\n]/g;

function symbol(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

// The same text with what cannot be seen made visible; `lines` keeps its lines and tabs.
export function visible(text, lines = false) {
  const shown = String(text).replaceAll("\r\n", "\n").replace(UNSEEN, symbol);
  return lines ? shown : shown.replace(ONE_LINE, symbol);
}

// The first characters of a text, never half of one.
export function cut(text, most) {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most);
}
