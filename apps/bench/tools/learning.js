// `node apps/bench/tools/learning.js [--calls 50] [--cases models] [--chromium]`: how close `select: "auto"` of `heed`
// comes to always taking the best backend, on the benchmark's cases. Needs a build.
//
// Prints, for each case, the time of a call after the first `--calls` over that of the best backend by itself, and of
// the first 20 calls over that of the backend that comes first in the order; then the same of the sums of times. The
// control is an attention whose order is fixed, measured in the same way: its distance from 1 is the measurement's.
// The choices are the calls after the first ones, each at the time of its backend by itself.
import { parseArgs } from "node:util";
import { selectWorkloads } from "@heed/bench";
import { measureLearning } from "./learning/measure.js";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "50" },
    cases: { type: "string", default: "models" },
    chromium: { type: "boolean", default: false },
  },
});
const calls = Number(values.calls);
const totals = { learning: 0, fastest: 0, firstLearning: 0, firstOrdered: 0 };
const controls = [];
let [worst, worstChoices] = [0, 0];

function onCase(result) {
  for (const name of Object.keys(totals)) totals[name] += result[name];
  const ratio = result.learning / result.fastest;
  worst = Math.max(worst, ratio);
  worstChoices = Math.max(worstChoices, result.choices);
  controls.push(result.control);
  const alone = Object.entries(result.alone).map(([name, time]) => `${name} ${time.toFixed(3)}`);
  console.log(
    `${result.id.padEnd(28)} ${ratio.toFixed(3)} of the best (control ${result.control.toFixed(3)}, choices ${result.choices.toFixed(3)}), first 20 ${result.first.toFixed(3)} of the order; ends on ${result.endsOn}, ${result.trials} calls elsewhere (ms: ${alone.join(", ")})`,
  );
}

if (values.chromium) {
  const { inChromium } = await import("./learning/chromium.js");
  await inChromium({ cases: values.cases, calls, onCase });
} else {
  const { wasm } = await import("heed");
  const { onnx } = await import("heed/onnx");
  await measureLearning({
    backends: [
      ["onnx", onnx({ provider: "cpu" })],
      ["wasm", wasm()],
      ["js", "js"],
    ],
    workloads: selectWorkloads(values.cases.split(",")),
    calls,
    onCase,
  });
}
const sorted = controls.sort((a, b) => a - b);
console.log(
  `after ${calls} calls: ${(totals.learning / totals.fastest).toFixed(3)} of always the best, worst case ${worst.toFixed(3)}, by the choices alone ${worstChoices.toFixed(3)}; first 20 calls: ${(totals.firstLearning / totals.firstOrdered).toFixed(3)} of the order; control ${sorted[0].toFixed(3)} to ${sorted.at(-1).toFixed(3)}`,
);
