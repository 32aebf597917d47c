// `pnpm device-reports --device NAME [--note TEXT] [--engines chromium,firefox,…] [--out reports]`: makes a
// device report of Node and of each of these engines on this machine: the suite's first profile, a few cases of the
// benchmark, and the kernels that WebGPU measures to be fastest for those. Without `node` among the engines, Node is left out.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { engineNames, hasEngine } from "@heed/bench/engines";
import { parseDocument } from "@heed/conformance";
import { vulkanEnvironment } from "../../../tools/vulkan.js";
import { serveSuite, suiteIn } from "./in-engine.js";

const root = resolve(import.meta.dirname, "../../..");

/** One case of prefill at a medium length, one of pictures, one of decoding. */
const cases = ["bert-base-512", "vit-b16-197", "llama-3.2-1b-decode-2048"];

/** Milliseconds for which WebGPU measures its kernels before each case: software drivers compile each for seconds. */
const tuneBudget = "20000";

/** Mesa's software driver for Vulkan: wgpu, which is in Firefox and Deno, uses more of it than of SwiftShader. */
const mesa = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
const onMesa = existsSync(mesa) ? { VK_DRIVER_FILES: mesa } : {};

/** Backends of each engine, and where its WebGPU finds a driver. */
const engines = {
  node: { backends: ["js", "wasm", "onnx", "webgpu"], env: vulkanEnvironment() },
  chromium: { backends: ["js", "wasm", "onnx:wasm", "webgpu"], env: {} },
  firefox: { backends: ["js", "wasm", "onnx:wasm", "webgpu"], env: onMesa },
  webkit: { backends: ["js", "wasm", "onnx:wasm"], env: {} },
  deno: { backends: ["js", "wasm", "webgpu"], env: onMesa },
  bun: { backends: ["js", "wasm"], env: {} },
};

const { values } = parseArgs({
  options: {
    device: { type: "string", default: "" },
    engines: { type: "string" },
    note: { type: "string", multiple: true, default: [] },
    out: { type: "string", default: "reports" },
  },
});
const wanted = values.engines?.split(",").filter(Boolean) ?? [
  "node",
  ...engineNames.filter(hasEngine),
];
const folder = mkdtempSync(join(tmpdir(), "heed-device-"));
let page;
const served = () => (page ??= serveSuite());
try {
  mkdirSync(values.out, { recursive: true });
  for (const engine of wanted) await reportOn(engine);
} finally {
  await (await page)?.close();
  rmSync(folder, { recursive: true });
}

async function reportOn(engine) {
  const { backends, env } = engines[engine];
  console.error(`${engine}: the suite`);
  const suite = join(folder, `${engine}-suite.json`);
  const { version, json } = await suiteIn(engine, { backends, profile: "core", env }, served);
  writeFileSync(suite, json);
  console.error(`${engine}: the benchmark`);
  const bench = join(folder, `${engine}-bench.json`);
  run("heed-bench", env, [
    ...["--cases", cases.join(","), "--backends", backends.join(","), "--budget", "400"],
    ...(backends.includes("webgpu") ? ["--tune", tuneBudget] : []),
    ...(engine === "node" ? [] : [`--${engine}`]),
    ...["--json", bench],
  ]);
  const [{ environment = "" } = {}] = parseDocument(json).reports;
  const [major] = /\d+/.exec(version || environment) ?? ["0"];
  const name = `${values.device || "device"}-${engine}-${major}`;
  const out = join(values.out, `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.json`);
  const device = values.device === "" ? [] : ["--device", values.device];
  run("heed-device-report", {}, [
    ...["--conformance", suite, "--bench", bench, "--environment", engine],
    ...[...device, ...values.note.flatMap((note) => ["--note", note]), "--out", out],
  ]);
  console.log(out);
}

/** Runs a command of the benchmark's package. */
function run(name, env, args) {
  execFileSync(process.execPath, [join(root, "apps/bench/bin", `${name}.js`), ...args], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...env },
  });
}
