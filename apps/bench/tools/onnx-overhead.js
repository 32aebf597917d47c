// Measures the overhead that the ONNX backend adds to onnxruntime: each case runs through the backend, and
// as calls of onnxruntime itself with every graph that expresses the case, in turns, on one provider.
//
//   node tools/onnx-overhead.js wasm|cpu|webgpu [--cases NAMES] [--ms 400] [--skip N] [--stop 170]
//     [--clock wall|processor]
//
// in apps/bench, after a build; prints a row of Markdown a case. The clock `processor` counts the CPU time
// of this process, however busy the machine: for wasm and cpu, which run on one thread here. The first
// ratio is the backend's time to that of the fastest direct call whose output the suite's judge accepts,
// as the median of the rounds' ratios; the second is to its own model, called directly. The fused
// operators are shown, but do not count as the fastest: they get tensors in their own layout, converted
// before the clock starts. onnx-operators.js times them with the conversion included.
import { parseArgs } from "node:util";
import { onnx } from "@heed/backend-onnx";
import { describeProblem } from "@heed/core";
import { median } from "simple-statistics";
import { backendByName } from "../dist/contenders/backends.js";
import { attention } from "../dist/operations/attention/operation.js";
import { peerByName } from "../dist/peers/peers.js";
import { selectWorkloads } from "../dist/workloads/select.js";
import { clocks, inTurns } from "./in-turns.js";

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: "string", default: "real,models,speed" },
    ms: { type: "string", default: "400" },
    skip: { type: "string", default: "0" },
    stop: { type: "string", default: "170" },
    clock: { type: "string", default: "wall" },
  },
});
const [provider = "wasm"] = positionals;
const started = performance.now();
const peersOf = {
  wasm: ["ort-web/attention", "ort-web/matmul", "ort-web/fused"],
  cpu: ["ort-node/attention", "ort-node/matmul", "ort-node/fused"],
  webgpu: ["ort-node-webgpu/matmul", "ort-node-webgpu/fused"],
};
const runtime =
  provider === "wasm"
    ? await import("onnxruntime-web")
    : (await import("onnxruntime-node")).default;

const backend = await backendByName(`onnx:${provider}`, { threads: 1 }).load();
const peers = [];
for (const name of peersOf[provider]) {
  peers.push({ name, loaded: await peerByName(name, { threads: 1 }).load() });
}

/** The backend's own model and feeds, called directly. */
async function ownModel(inputs) {
  let model;
  let feeds;
  const create = async (bytes, settings) => {
    const session = await runtime.InferenceSession.create(bytes, settings);
    return {
      run: (fed, fetches) => {
        model = { bytes, settings };
        feeds = fed;
        return fetches ? session.run(fed, fetches) : session.run(fed);
      },
      release: () => session.release(),
    };
  };
  const { env, Tensor } = runtime;
  const seen = { env, Tensor, InferenceSession: { create } };
  const watched = await onnx({ provider, runtime: seen, threads: 1 }).load();
  const plan = await watched.plan(describeProblem(inputs));
  await plan.run(inputs);
  watched.dispose();
  const session = await runtime.InferenceSession.create(model.bytes, model.settings);
  return {
    name: "own model",
    run: async () => (await session.run(feeds)).output,
    dispose: () => session.release(),
  };
}

async function contendersOf(problem, inputs) {
  const judge = attention.prepareJudge(inputs);
  const made = [];
  const notes = [];
  for (const { name, loaded } of [{ name: "heed", loaded: backend }, ...peers]) {
    if (!loaded.supports(problem).ok) continue;
    const plan = await loaded.plan(problem, inputs);
    const call = await plan.place(inputs);
    const wrong = await call.run().then(
      (outputs) => (judge(outputs).wrong === null ? null : "is wrong"),
      (error) => {
        if (loaded === backend) throw error;
        return "fails";
      },
    );
    const dispose = async () => {
      call.dispose();
      plan.dispose();
    };
    if (wrong === null) made.push({ name, kernel: plan.kernel, run: call.run, dispose });
    else {
      notes.push(`${name} ${wrong}`);
      await dispose();
    }
  }
  made.push(await ownModel(inputs));
  return { made, notes };
}

console.log("| case | kernel | ms | fastest direct | ratio | to own model | all |");
console.log("| --- | --- | --- | --- | --- | --- | --- |");
const names = options.cases.split(",");
const workloads = selectWorkloads(names).slice(Number(options.skip));
for (const [at, workload] of workloads.entries()) {
  if ((performance.now() - started) / 1000 > Number(options.stop)) {
    console.log(`stopped: go on with --skip ${Number(options.skip) + at}`);
    break;
  }
  const inputs = await workload.load("float32");
  const problem = describeProblem(inputs);
  if (!backend.supports(problem).ok) {
    console.log(`| ${workload.id} | refused | | | | | |`);
    continue;
  }
  const { made, notes } = await contendersOf(problem, inputs);
  const visits = await inTurns(made, clocks[options.clock], Number(options.ms));
  const own = made.findIndex(({ name }) => name === "heed");
  const ratioTo = (other) => median(visits[own].map((ms, round) => ms / visits[other][round]));
  const others = made.map((_, i) => i).filter((i) => i !== own);
  const comparable = others.filter((i) => !made[i].name.endsWith("/fused"));
  const fastest = comparable.reduce((a, b) => (median(visits[b]) < median(visits[a]) ? b : a));
  const last = made.length - 1;
  const cells = [
    workload.id,
    made[own].kernel,
    median(visits[own]).toFixed(3),
    made[fastest].name,
    ratioTo(fastest).toFixed(3),
    ratioTo(last).toFixed(3),
    [...others.map((i) => `${made[i].name} ${ratioTo(i).toFixed(2)}`), ...notes].join("; "),
  ];
  console.log(`| ${cells.join(" | ")} |`);
  for (const { dispose } of made) await dispose();
}
process.exit(0);
