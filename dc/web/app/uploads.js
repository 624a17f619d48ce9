// Bytes on their way to the server, with how far they are.
import { Problem } from "./api.js";

const AT_ONCE = 3;

// Posts a body and gives the JSON that comes back. `told(fraction)` is called as it goes; `signal` ends it.
export function post(path, body, { type, headers = {}, told = () => {}, signal }) {
  return new Promise((answer, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Content-Type", type);
    request.setRequestHeader("Accept", "application/json");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => { if (event.lengthComputable) told(event.loaded / event.total); };
    request.onload = () => {
      try {
        answer(read(request));
      } catch (problem) {
        fail(problem);
      }
    };
    request.onerror = () => fail(new Problem(0, "unreachable", "The server does not answer", ""));
    request.onabort = request.onerror;
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

function read({ status, statusText, responseText }) {
  let value = null;
  try {
    value = JSON.parse(responseText);
  } catch {
    // what it says stands below, if it says anything
  }
  if (status >= 200 && status < 300 && value) return value;
  throw new Problem(status, value?.code ?? "", value?.title ?? (statusText || `Status ${status}`), value?.detail ?? responseText);
}

// Puts files to the server, some at a time; gives `{blob, size}` of each, in order.
//   told(at, fraction): how far one of them is.
//   put: a Map of what was put before, by file; it is added to, so that nothing goes twice.
// If one cannot be put, those that are under way are let go of, and nothing is told any more.
export async function putFiles(files, told, put) {
  let next = 0;
  const control = new AbortController();
  const work = async () => {
    while (next < files.length && !control.signal.aborted) {
      const at = next;
      next += 1;
      if (put.has(files[at])) continue;
      const { sha256, size } = await post("/blobs", files[at], {
        type: "application/octet-stream", told: (fraction) => told(at, fraction), signal: control.signal,
      });
      told(at, 1);
      put.set(files[at], { blob: sha256, size });
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, files.length) }, work));
  } catch (problem) {
    control.abort();
    throw problem;
  }
  return files.map((file) => put.get(file));
}
