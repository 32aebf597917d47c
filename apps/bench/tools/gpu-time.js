// Times the WebGPU kernels on a real GPU by its own timestamps, and gives their throughput as fractions of
// the GPU's float32 peak and memory bandwidth, beside onnxruntime's WebGPU provider and PyTorch's
// backends. Run it after a build, where nothing else uses the GPU:
//
//   node apps/bench/tools/gpu-time.js [--tflops 67] [--gbytes 3350] [--shape B1,H32,L2048,D64]
//     [--dtype float32,float16] [--runs 20] [--python python3] [--json times.json] [--quick]
//
// --tflops and --gbytes are the GPU's float32 peak (10^12/s) and memory bandwidth (10^9 bytes/s) by its
// data sheet; both are also measured on this machine, and those figures are used where they are left out.
// --shape, as in `pnpm bench`, replaces the shapes below and may be repeated. --quick uses small shapes,
// to see whether everything works. Each output is judged first; the exit code is 1 if one of ours is wrong.
//
// On Linux with an NVIDIA GPU, VK_DRIVER_FILES names the driver's nvidia_icd.json.

import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { webgpu } from "@heed/backend-webgpu";
import { attentionWork, describeProblem } from "@heed/core";
import { markdownTable } from "markdown-table";
import { attention } from "../dist/operations/attention/operation.js";
import { customWorkload } from "../dist/workloads/generated.js";
import { parseShape } from "../dist/workloads/shape.js";
import { measureBandwidth, measureFloat32Peak, prepareWarmUp } from "./gpu-time/ceilings.js";
import { matrixFeature, openDevice } from "./gpu-time/device.js";
import { timeHeed } from "./gpu-time/heed.js";
import { openOnnxruntime } from "./gpu-time/onnxruntime.js";
import { timePyTorch } from "./gpu-time/pytorch.js";

const { values } = parseArgs({
  options: {
    tflops: { type: "string" },
    gbytes: { type: "string" },
    shape: { type: "string", multiple: true },
    dtype: { type: "string", default: "float32,float16" },
    runs: { type: "string" },
    python: { type: "string", default: "python3" },
    json: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});
const shapes =
  values.shape ??
  (values.quick
    ? ["B1,H2,L64,D16", "B1,Hq4,Hkv2,Lq1,Lk256,D16"]
    : [
        "B1,H32,L2048,D64",
        "B1,H32,L2048,D128",
        "B1,H32,L4096,D64",
        "B1,H32,L4096,D128,causal",
        "B1,Hq32,Hkv8,Lq1,Lk32768,D128",
        "B1,Hq32,Hkv8,Lq1,Lk131072,D128",
      ]);
const dtypes = values.dtype.split(",");
const runs = Number(values.runs ?? (values.quick ? 3 : 20));

const opened = await openDevice();
const { device, clock } = opened;
const plain = await webgpu({ device }).load();
const matrices = await webgpu({ device, features: { [matrixFeature]: true } }).load();
const hasMatrices = matrices.info.features.includes(matrixFeature);
const warmMs = values.quick ? 10 : 500;
const warmUp = await prepareWarmUp(device, clock, warmMs);
const onnxruntime = await openOnnxruntime(warmUp);
const { info } = plain;
const notes = [`webgpu: ${info.device}; ${info.features.join(", ")}; ${info.notes.join("; ")}`];
if (!hasMatrices) {
  notes.push(`webgpu with subgroup matrices: left out: none of float16 that are summed in float32`);
}
notes.push(
  onnxruntime.missing
    ? `onnxruntime-node: left out: ${onnxruntime.missing}`
    : "onnxruntime-node: time of a further copy of the operator in one graph, by the wall clock",
);

await warmUp();
const least = values.quick ? 1 : 10;
const peak = await measureFloat32Peak(device, clock, least);
const bandwidth = await measureBandwidth(device, clock, values.quick ? 2 ** 24 : 2 ** 30);
const shown = (measured, given, unit) =>
  `${measured.toPrecision(3)} ${unit} measured${given ? `, ${given} by the data sheet` : ""}`;
notes.push(
  `float32 peak: ${shown(peak / 1e12, values.tflops, "TFLOP/s")}`,
  `memory: ${shown(bandwidth / 1e9, values.gbytes, "GB/s")}`,
);

const workloads = [];
for (const shape of shapes) {
  for (const dtype of dtypes) {
    workloads.push({ ...customWorkload(parseShape(shape)), dtype });
  }
}
const torch = timePyTorch(values.python, workloads, runs, warmMs);
notes.push(torch.missing ? `PyTorch: left out: ${torch.missing}` : `PyTorch: ${torch.device}`);

const results = [];
for (const workload of workloads) {
  const { id, dtype } = workload;
  const inputs = await workload.load(dtype);
  const judgeOutputs = attention.prepareJudge(inputs);
  const judge = (output) => judgeOutputs({ output });
  const work = attentionWork(describeProblem(inputs), inputs);
  const add = (contender, found) => {
    results.push({ shape: id, dtype, contender, ...work, ...found });
    console.error(
      `${id} ${dtype} ${contender}: ${found.reason ?? `${found.ms.toPrecision(4)} ms`}`,
    );
  };
  add("webgpu", await timeHeed(plain, device, clock, inputs, judge, runs, warmUp));
  if (hasMatrices && dtype === "float16") {
    const found = await timeHeed(matrices, device, clock, inputs, judge, runs, warmUp);
    add("webgpu, subgroup matrices", found);
  }
  for (const kind of onnxruntime.missing ? [] : ["fused", "matmul"]) {
    add(`onnxruntime ${kind}`, await onnxruntime.time(kind, inputs, judge, runs));
  }
  for (const { contender, ...found } of torch.of(workload)) add(contender, found);
}

const most = {
  flops: values.tflops ? values.tflops * 1e12 : peak,
  bytes: values.gbytes ? values.gbytes * 1e9 : bandwidth,
};
const rows = results.map((result) => {
  const { shape, dtype, contender, kernel, ms, reason, wrong, flops, bytes } = result;
  if (reason) return [shape, dtype, contender, "", "", "", "", "", "", reason];
  const first = results.find((r) => r.shape === shape && r.dtype === dtype);
  const rate = (amount) => (amount / ms) * 1e3;
  const part = (amount, limit) => `${((100 * rate(amount)) / limit).toFixed(0)} %`;
  return [
    shape,
    dtype,
    contender,
    kernel ?? "",
    ms.toPrecision(4),
    (rate(flops) / 1e12).toPrecision(3),
    part(flops, most.flops),
    (rate(bytes) / 1e9).toPrecision(3),
    part(bytes, most.bytes),
    `${(ms / first.ms).toPrecision(3)} ×${wrong ? `, WRONG: ${wrong}` : ""}`,
  ];
});
const head = [
  "shape",
  "dtype",
  "",
  "kernel",
  "ms",
  "TFLOP/s",
  "of peak",
  "GB/s",
  "of bandwidth",
  "time / webgpu's",
];
console.log(`${notes.map((note) => `- ${note}`).join("\n")}\n\n${markdownTable([head, ...rows])}`);
if (values.json)
  await writeFile(values.json, JSON.stringify({ notes, peak, bandwidth, results }, null, 1));

plain.dispose();
matrices.dispose();
clock.dispose();
process.exitCode = results.some(({ contender, wrong }) => wrong && contender.startsWith("webgpu"))
  ? 1
  : 0;
