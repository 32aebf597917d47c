// Measures, on this machine's WebGPU device, which kernels and sizes are fastest for a list of problems; prints the
// rule's choice, the fastest one and the ratio of their times; and writes tables of tuning, which
// `webgpu({ tuning })` takes. Run it after a build, where nothing else uses the device:
//
//   node apps/bench/tools/tune.js [--out tuning.json] [--report report.json] [--seconds 220] [--budget 12000]
//     [--cases bert-base-512,llama*] [--suite speed] [--shape B1,H32,L4096,D128,causal]
//     [--dtype float32,float16] [--matrices] [--again] [--quick]
//
// --seconds bounds the whole, --budget is the most milliseconds for one problem. --cases, --suite and --shape, as in
// `pnpm bench`, replace the problems below. --matrices measures float16 a second time, on a device with subgroup
// matrices. --quick takes three small problems and a second each, to see whether everything works.
//
// Tables are written after each problem, so that whatever happens keeps what was measured; a later run with the same
// --out goes on with the problems that are not in it, and with --again measures all anew. Each choice has to give the
// same results as the rule's. One that does not compile, does not run, is wrong or loses the device is passed over,
// and --report says so. The exit code is 1 if a problem could not be measured at all, and
// 3 if the device hangs.
//
// On Linux with an NVIDIA GPU, VK_DRIVER_FILES names the driver's nvidia_icd.json. Software adapters are measured, too.

import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { webgpu } from "@heed/backend-webgpu";
import { describeProblem, isHeedError, lengthClassKey } from "@heed/core";
import { markdownTable } from "markdown-table";
import writeFileAtomic from "write-file-atomic";
import { customWorkload, withoutData } from "../dist/workloads/generated.js";
import { selectWorkloads } from "../dist/workloads/select.js";
import { parseShape } from "../dist/workloads/shape.js";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "tuning.json" },
    report: { type: "string" },
    seconds: { type: "string", default: "220" },
    budget: { type: "string" },
    cases: { type: "string" },
    suite: { type: "string" },
    shape: { type: "string", multiple: true },
    dtype: { type: "string", default: "float32,float16" },
    matrices: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
});

const matrixFeature = "chromium-experimental-subgroup-matrix";
/** Long problems come last: what is left of the time is shared among those that are left. */
const usual = [
  "bert-base-128",
  "bert-base-512",
  "vit-b16-197",
  "clip-text-77",
  "minilm-l6-256",
  "llama-3.2-1b-decode-2048",
  "B1,Hq32,Hkv8,Lq1,Lk8192,D64",
  "B1,Hq32,Hkv8,Lq1,Lk2048,D128",
  "B1,Hq32,Hkv8,Lq1,Lk8192,D128",
  "B1,Hq32,Hkv8,Lq4,Lk2048,D128",
  "llama-3.2-1b-prefill-512",
  "B1,Hq32,Hkv8,L2048,D64,causal",
  "B1,Hq32,Hkv8,L2048,D128,causal",
  "B1,Hq32,Hkv8,L4096,D64,causal",
  "B1,Hq32,Hkv8,L4096,D128,causal",
];
const quick = ["B1,H2,L64,D16", "B1,H4,Lq1,Lk512,D32", "B1,H2,L200,D32,causal"];

const named = [values.cases, values.suite].filter(Boolean).flatMap((names) => names.split(","));
const chosen =
  named.length > 0 || values.shape
    ? [...named, ...(values.shape ?? [])]
    : values.quick
      ? quick
      : usual;
const workloads = chosen.flatMap((name) =>
  /^B?\d*,?H/.test(name) ? [customWorkload(parseShape(name))] : selectWorkloads([name]),
);
const problems = workloads.flatMap(({ id, shape }) =>
  shape === undefined
    ? []
    : values.dtype.split(",").map((dtype) => ({
        id,
        dtype,
        problem: describeProblem(withoutData(shape, dtype)),
      })),
);
const tasks = [
  ...problems.map((problem) => ({ ...problem, matrices: false })),
  ...(values.matrices
    ? problems.filter(({ dtype }) => dtype === "float16").map((p) => ({ ...p, matrices: true }))
    : []),
];

const end = performance.now() + 1000 * Number(values.seconds);
const most = Number(values.budget ?? (values.quick ? 1000 : 12_000));
/** Tables by device: those of an earlier run, and those that are measured. */
const tables = values.again || !existsSync(values.out) ? [] : earlier(values.out);
const rows = [];
const report = { notes: [], problems: [] };
/** The backend that is open, without and with matrices, at most one at a time. */
let open = null;

function earlier(path) {
  try {
    const read = JSON.parse(readFileSync(path, "utf8"));
    return Array.isArray(read) ? read : [read];
  } catch (error) {
    console.error(`${path} is not read: ${error.message}`);
    return [];
  }
}

async function backendFor(matrices) {
  if (open?.matrices === matrices) return open.backend;
  open?.backend.dispose();
  open = null;
  const backend = await webgpu({
    allowFallbackAdapter: true,
    powerPreference: "high-performance",
    tuning: tables,
    ...(matrices && { features: { [matrixFeature]: true } }),
  }).load();
  open = { matrices, backend };
  const { device, features, notes } = backend.info;
  const note = `${device}; ${features.join(", ")}; ${notes.join("; ")}`;
  console.error(note);
  report.notes.push(note);
  return backend;
}

/** Takes over the table of a backend, which has everything of its device. */
async function save(backend) {
  const { tuning } = backend.info;
  if (tuning) {
    const key = JSON.stringify(tuning.device);
    const at = tables.findIndex(({ device }) => JSON.stringify(device) === key);
    if (at < 0) tables.push(tuning);
    else tables[at] = tuning;
    await writeFileAtomic(values.out, `${JSON.stringify(tables, null, 1)}\n`);
  }
  if (values.report) await writeFileAtomic(values.report, `${JSON.stringify(report, null, 1)}\n`);
}

const words = ({ kernel, splits, ...sizes }) =>
  [
    kernel,
    ...Object.entries(sizes).flatMap(([name, value]) =>
      typeof value === "boolean" ? (value ? [name] : []) : [`${name} ${value}`],
    ),
    ...(splits > 1 ? [`splits ${splits}`] : []),
  ].join(", ");

/** Measures one problem; choices that lose the device are left out of a second try, and of a third. */
async function tuneOne({ problem, matrices }, budget) {
  const without = [];
  for (;;) {
    const backend = await backendFor(matrices);
    let last = null;
    try {
      const onTry = (settings) => {
        last = settings;
      };
      const result = await backend.tune(problem, { budget, without, onTry });
      await save(backend);
      return { ...result, lost: without };
    } catch (error) {
      const lost = isHeedError(error, "device-lost");
      if (lost) open = null;
      if (!lost || last === null || without.length === 2) throw error;
      console.error(`  lost the device with ${words(last)}: ${error.message}`);
      without.push(last);
    }
  }
}

function say(id, dtype, matrices, result) {
  const time = (settings) =>
    result.tried.find((one) => JSON.stringify(one.settings) === JSON.stringify(settings))?.outcome
      .ms;
  const ms = (of) => (of === undefined ? "" : of.toPrecision(3));
  const count = (status) => result.tried.filter(({ outcome }) => outcome.status === status).length;
  const [measured, wrong, failed, skipped] = ["measured", "wrong", "failed", "skipped"].map(count);
  rows.push([
    `${id}${matrices ? " with matrices" : ""}`,
    dtype,
    words(result.rule),
    ms(time(result.rule)),
    result.gain > 1 ? words(result.best) : "the same",
    ms(time(result.best)),
    result.gain.toFixed(2),
    `${measured} measured${wrong ? `, ${wrong} WRONG` : ""}${failed + result.lost.length ? `, ${failed + result.lost.length} failed` : ""}${skipped ? `, ${skipped} skipped` : ""}`,
  ]);
  console.error(`  ${rows.at(-1).slice(2).join(" | ")} (${(result.ms / 1000).toFixed(1)} s)`);
}

/** A device that hangs tells nothing: what was measured until then is written. */
const patience = setTimeout(
  () => {
    console.error("the device has not answered for a minute beyond the time: it may hang");
    process.exit(3);
  },
  1000 * (Number(values.seconds) + 60),
);

process.exitCode = 0;
for (const [i, task] of tasks.entries()) {
  const { id, dtype, problem, matrices } = task;
  const left = end - performance.now();
  if (left <= 0) {
    console.error(`no time is left for ${tasks.length - i} problems`);
    break;
  }
  const name = `${id} ${dtype}${matrices ? " with matrices" : ""}`;
  try {
    const backend = await backendFor(matrices);
    if (matrices && !backend.info.features.includes(matrixFeature)) {
      console.error("no subgroup matrices here");
      break;
    }
    if (Object.hasOwn(backend.info.tuning?.choices ?? {}, lengthClassKey(problem))) {
      console.error(`${name}: known`);
      continue;
    }
    console.error(`${name}:`);
    // A choice's compilation goes on beyond the budget at times: some of the time is kept back.
    const result = await tuneOne(task, Math.min(most, (0.9 * left) / (tasks.length - i)));
    report.problems.push({ id, dtype, matrices, ...result });
    say(id, dtype, matrices, result);
  } catch (error) {
    process.exitCode = 1;
    report.problems.push({ id, dtype, matrices, error: error.message });
    console.error(`  failed: ${error.message}`);
  }
  if (values.report) await writeFileAtomic(values.report, `${JSON.stringify(report, null, 1)}\n`);
}

const head = ["problem", "dtype", "rule", "ms", "fastest", "ms", "ratio", "tried"];
console.log(
  `${report.notes.map((note) => `- ${note}`).join("\n")}\n\n${markdownTable([head, ...rows])}`,
);
clearTimeout(patience);
open?.backend.dispose();
// Dawn keeps the process alive while anything is compiled that was left behind.
process.exit();
