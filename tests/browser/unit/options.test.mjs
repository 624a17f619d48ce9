// Options of a job, as they are typed and as they go out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { encode } from "../../../dc/web/app/json_text.js";
import { bytesOf, secondsOf, timeOfInput } from "../../../dc/web/app/measures.js";
import { SHOWN, optionsDraft, optionsOf } from "../../../dc/web/app/options.js";

test("what is left empty is not said", () => {
  const draft = optionsDraft();
  assert.deepEqual(Object.keys(draft), SHOWN);
  assert.deepEqual(optionsOf(draft), { options: {}, errors: [] });
});

test("options as people type them", () => {
  const draft = {
    ...optionsDraft(),
    name: "night",
    priority: "5",
    timeout: "1h 30m",
    requires: [{ key: "os", of: "linux" }],
    resources: { cpus: "0.5", memory: "2 GiB", gpus: "", others: [{ key: "tapes", of: "1" }] },
    after: ["3", "4"],
    after_what: 1,
    not_before: "2026-03-04T05:06",
    limits: { memory: "1G", disk: "" },
    keep_output: true,
    retry_on: [0, 1],
  };
  const { options, errors } = optionsOf(draft);
  assert.deepEqual(errors, []);
  assert.deepEqual(JSON.parse(encode(options)), {
    name: "night", priority: 5, timeout: 5400, requires: { os: "linux" },
    resources: { cpus: 0.5, memory: 2 ** 31, tapes: 1 },
    after: [3, 4], after_what: "finished", not_before: new Date(2026, 2, 4, 5, 6).getTime() / 1000,
    limits: { memory: 2 ** 30 }, keep_output: true, retry_on: ["error", "timeout"],
  });
});

test("mistakes are told at their option", () => {
  const { errors } = optionsOf({ priority: "x", timeout: "soon", resources: { memory: "much" } });
  assert.deepEqual(errors.map((error) => error.path.join(".")), ["priority", "timeout", "resources.memory"]);
});

test("sizes", () => {
  assert.equal(bytesOf("512 MiB"), 2 ** 29);
  assert.equal(bytesOf("2G"), 2 ** 31);
  assert.equal(bytesOf("2GB"), 2e9);
  assert.equal(bytesOf(" 1.5k "), 1536);
  assert.equal(bytesOf("1000"), 1000);
  for (const bad of ["", "G", "1 X", "-1", "1e3"]) assert.ok(Number.isNaN(bytesOf(bad)), bad);
});

test("spans and moments", () => {
  assert.equal(secondsOf("90"), 90);
  assert.equal(secondsOf("1d 12h"), 129600);
  assert.equal(secondsOf("1.5min"), 90);
  for (const bad of ["", "h", "1 y", "-1"]) assert.ok(Number.isNaN(secondsOf(bad)), bad);
  assert.ok(Number.isNaN(timeOfInput("")));
});
