// JSON as text: what goes out exactly as it was written, and where the server found a mistake.

// JSON that goes out untouched: whole numbers of any size, and what someone has typed as JSON.
export class Raw {
  constructor(text) {
    this.text = text;
  }
}

// Return a value as JSON on one line; `Raw` parts as they are.
export function encode(value) {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(encode).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value ?? null);
  const fields = Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}:${encode(part)}`);
  return `{${fields.join(",")}}`;
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

// Return JSON text indented, its numbers as they are written: a whole number may be larger than a page can count.
// Throws where it is no JSON.
export function indented(text) {
  JSON.parse(text);
  const tokens = text.match(TOKEN);
  let depth = 0;
  const parts = tokens.map((token, at) => {
    const line = (by) => {
      depth += by;
      return `\n${"  ".repeat(depth)}`;
    };
    if (token === "{" || token === "[") return "}]".includes(tokens[at + 1]) ? token : token + line(1);
    if (token === "}" || token === "]") return "{[".includes(tokens[at - 1]) ? token : line(-1) + token;
    if (token === ",") return token + line(0);
    if (token === ":") return ": ";
    return token[0] === '"' ? JSON.stringify(JSON.parse(token)) : token;
  });
  return parts.join("");
}

// Return JSON text on one line, numbers untouched: line breaks are only ever between tokens.
export function oneLine(text) {
  return text.replace(/[\r\n]+/g, " ").trim();
}

// Return `{lines, errors}` of pasted JSON, one value a line; an error has the number of its line.
export function readLines(text) {
  const lines = [];
  const errors = [];
  text.split(/\r?\n/).forEach((line, at) => {
    if (!line.trim()) return;
    try {
      JSON.parse(line);
      lines.push(line.trim());
    } catch (error) {
      errors.push({ line: at + 1, text: `line ${at + 1} is not JSON: ${error.message}` });
    }
  });
  return { lines, errors };
}

// Return where the server says that a mistake is: `{task, path}`, as far as it says so.
//
// It names tasks by number, and places within a payload as in "at `$.size[0]`". The path has names
// and numbers; it ends before a key that the server does not name.
export function placeOf(text) {
  const task = /\btask (\d+)\b/.exec(text) ?? /\bpayload (\d+)\b/.exec(text);
  const missing = /required field `([^`]+)`/.exec(text);
  const at = /at `(?:key )?\$([^`]*)`/.exec(text);
  const path = at || missing ? segments(at ? at[1] : "") : null;
  if (path && missing) path.push(missing[1]);
  return { task: task ? Number(task[1]) : null, path };
}

function segments(text) {
  const path = [];
  for (const [, name, index] of text.matchAll(/\.([^.[\]]+)|\[([^\]]*)\]/g)) {
    if (index === "...") break;
    path.push(name ?? Number(index));
  }
  return path;
}
