// Measures core's own overhead: per call, beside a backend's kernels, and when an attention is created.
//
//   node apps/bench/tools/overhead.js [--processes 11] [--json overhead.json]
//
// after a build; under another Node by calling this with that one. Every figure is the median over fresh
// processes, since code is compiled once in each. A tiny call (batch 1, one head, 8 queries and keys, head
// size 16) is made through `attention.run` and through the plan that it uses, in turns; the difference, by
// the processor's clock, is core's: validation, the choice of a backend, the plan's cache. It is measured
// on the js backend and on one that computes nothing, where no kernel's time varies beneath it. Bytes are
// those of JavaScript's heap between two looks without a collection, in processes of their own. `supports`
// and `plan` are counted at the backend: those of the first call of a problem, and those of all later ones.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "simple-statistics";

const { values } = parseArgs({
  options: { processes: { type: "string", default: "11" }, json: { type: "string" } },
});
const processes = Number(values.processes);

function child(script, args = [], flags = []) {
  const path = fileURLToPath(new URL(`overhead/${script}`, import.meta.url));
  const out = execFileSync(process.execPath, [...flags, path, ...args], { encoding: "utf8" });
  return JSON.parse(out.trim().split("\n").at(-1));
}

const repeat = (measure) => Array.from({ length: processes }, measure);
const medianOf = (list, name) => median(list.map((one) => one[name]));

// A young generation of which a thousand calls fill a part only.
const young = ["--expose-gc", "--min-semi-space-size=128", "--max-semi-space-size=256"];
const calls = {};
for (const backend of ["js", "empty"]) {
  const times = repeat(() => child("call.js", [backend, "time"]));
  const bytes = repeat(() => child("call.js", [backend, "bytes"], young));
  calls[backend] = {
    planMicroseconds: medianOf(times, "plan"),
    addedMicroseconds: medianOf(times, "added"),
    planBytes: medianOf(bytes, "plan"),
    addedBytes: medianOf(bytes, "added"),
    first: times[0].first,
    later: times[0].later,
  };
}
const loads = {};
for (const what of ["js", "wasm:1", "wasm"]) {
  for (const selfTest of [true, false]) {
    const ms = medianOf(
      repeat(() => child("load.js", [what, String(selfTest)])),
      "ms",
    );
    loads[`${what}${selfTest ? "" : ", no self-test"}`] = ms;
  }
}
const found = {
  node: process.versions.node,
  calls,
  loads,
};
if (values.json) writeFileSync(values.json, `${JSON.stringify(found, null, 2)}\n`);

console.log(`node ${found.node}, medians of ${processes} processes`);
for (const [backend, call] of Object.entries(calls)) {
  console.log(
    `${backend}: plan.run takes ${call.planMicroseconds.toFixed(2)} µs and ${call.planBytes.toFixed(0)} bytes a call; attention.run adds ${call.addedMicroseconds.toFixed(2)} µs and ${call.addedBytes.toFixed(0)} bytes`,
  );
}
const { first, later } = calls.js;
console.log(
  `a first call asks supports ${first.supports} times and plan ${first.plan} times; later ones ${later.supports} and ${later.plan} times in all`,
);
for (const [what, ms] of Object.entries(loads)) {
  console.log(`createAttention([${what}]): ${ms.toFixed(1)} ms`);
}
