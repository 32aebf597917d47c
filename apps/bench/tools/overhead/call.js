// One process of ../overhead.js: what a steady call of `attention.run` costs beside `plan.run`, in time and
// in bytes of JavaScript's heap, and how often a first call asks the backend. Prints a line of JSON.
//
// Needs --expose-gc and a young generation that is not collected while bytes are counted; see the parent.
import { PerformanceObserver } from "node:perf_hooks";
import { js } from "@heed/backend-js";
import { createAttention, describeProblem, tensor } from "@heed/core";
import { median } from "simple-statistics";
import { clocks } from "../in-turns.js";

/** B1 H1 L8 D16: so small that computing takes about as long as what stands around it. */
const shape = [1, 1, 8, 16];
const fill = (seed) =>
  tensor(
    Float32Array.from({ length: 8 * 16 }, (_, i) => Math.sin(seed + i)),
    shape,
  );
const inputs = { query: fill(1), key: fill(2), value: fill(3) };

const counts = { supports: 0, plan: 0 };
let backend;
const attention = await createAttention({ backends: [counted(js())], selfTest: false });

/** The provider with its backend's methods counted; the backend itself stays what it is. */
function counted(provider) {
  return {
    name: provider.name,
    load: async () => {
      backend = await provider.load();
      for (const name of Object.keys(counts)) {
        const method = backend[name].bind(backend);
        backend[name] = (problem) => {
          counts[name]++;
          return method(problem);
        };
      }
      return backend;
    },
  };
}

await attention.run(inputs);
const first = { ...counts };
const plan = await backend.plan(describeProblem(inputs));

async function callsOf(run, count) {
  for (let i = 0; i < count; i++) await run(inputs);
}

/** By the processor's clock: what else the machine does makes it no longer. */
async function microseconds(run, count) {
  const start = clocks.processor();
  await callsOf(run, count);
  return (1000 * (clocks.processor() - start)) / count;
}

const byPlan = (call) => plan.run(call);
const byAttention = (call) => attention.run(call);
const rounds = 21;
const calls = 1000;
for (const run of [byPlan, byAttention, byPlan, byAttention]) await callsOf(run, 5 * calls);
const differences = [];
const planTimes = [];
for (let round = 0; round < rounds; round++) {
  const before = await microseconds(byPlan, calls);
  const whole = await microseconds(byAttention, calls);
  const after = await microseconds(byPlan, calls);
  differences.push(whole - (before + after) / 2);
  planTimes.push((before + after) / 2);
}

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ["gc"] });

/** Bytes that a call leaves on the heap while nothing is collected. */
async function bytes(run) {
  const each = 1000;
  for (let attempt = 0; attempt < 5; attempt++) {
    globalThis.gc();
    // The observer is told of a collection on the next turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 5));
    collections = 0;
    const before = process.memoryUsage().heapUsed;
    await callsOf(run, each);
    const after = process.memoryUsage().heapUsed;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (collections === 0) return (after - before) / each;
  }
  throw new Error("the heap was collected in the middle of each attempt");
}

const planBytes = [];
const wholeBytes = [];
for (let round = 0; round < 7; round++) {
  planBytes.push(await bytes(byPlan));
  wholeBytes.push(await bytes(byAttention));
}
console.log(
  JSON.stringify({
    planMicroseconds: median(planTimes),
    addedMicroseconds: median(differences),
    planBytes: median(planBytes),
    addedBytes: median(wholeBytes) - median(planBytes),
    first,
    later: { supports: counts.supports - first.supports, plan: counts.plan - first.plan - 1 },
  }),
);
await attention.dispose();
