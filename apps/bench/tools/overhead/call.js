// One process of ../overhead.js: the cost of a steady call of `attention.run` beside `plan.run`, and how
// often a first call asks the backend. Prints a line of JSON.
//
//   node call.js BACKEND time      microseconds, as applications run: with Node's own flags
//   node call.js BACKEND bytes     bytes of JavaScript's heap; needs --expose-gc and a young generation
//                                  that is not collected meanwhile, see the parent. Times are of no use
//                                  there: each call then writes to memory that no cache holds.
//
// BACKEND is "js", or "empty" for one that computes nothing: each run gives the same output.
import { PerformanceObserver } from "node:perf_hooks";
import { js } from "@heed/backend-js";
import {
  attention as attentionOperation,
  createAttention,
  defineBackend,
  describeProblem,
  implement,
  tensor,
} from "@heed/core";
import { median } from "simple-statistics";
import { clocks } from "../in-turns.js";

const [, , backendName, measure] = process.argv;

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
const provider = backendName === "js" ? js() : empty();
const attention = await createAttention({ backends: [counted(provider)], selfTest: false });

/** A backend whose kernel costs nothing, so that only what stands around kernels is seen. */
function empty() {
  const outputs = { output: fill(4) };
  const description = { kernel: "empty", workspaceBytes: 0 };
  const plan = () => ({ description, run: () => outputs });
  return defineBackend({
    name: "empty",
    load: () => null,
    info: () => ({ runtime: "none", device: "none" }),
    operations: { attention: implement(attentionOperation, { plan }) },
  });
}

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
// Engines compile code once more after some ten thousand calls, on a thread whose time would be counted.
for (const run of [byPlan, byAttention, byPlan, byAttention]) await callsOf(run, 20_000);

/** Microseconds of a call of the plan, and what `attention.run` adds, in turns. */
async function measureTime() {
  const calls = 1000;
  const added = [];
  const plans = [];
  for (let round = 0; round < 41; round++) {
    const before = await microseconds(byPlan, calls);
    const whole = await microseconds(byAttention, calls);
    const after = await microseconds(byPlan, calls);
    plans.push((before + after) / 2);
    added.push(whole - (before + after) / 2);
  }
  return { plan: median(plans), added: median(added) };
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

/** Bytes of a call of the plan, and what `attention.run` adds. */
async function measureBytes() {
  const plans = [];
  const wholes = [];
  for (let round = 0; round < 7; round++) {
    plans.push(await bytes(byPlan));
    wholes.push(await bytes(byAttention));
  }
  return { plan: median(plans), added: median(wholes) - median(plans) };
}

const found = await (measure === "time" ? measureTime() : measureBytes());
const later = { supports: counts.supports - first.supports, plan: counts.plan - first.plan - 1 };
console.log(JSON.stringify({ ...found, first, later }));
await attention.dispose();
