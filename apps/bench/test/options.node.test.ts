import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { type CliOptions, parseOptions } from "../src/cli/options.js";
import { workloadsOf } from "../src/request.js";

function ids(options: CliOptions): string[] {
  return workloadsOf(options.request).map(({ id }) => id);
}

/** Backends of this repository beside its first four, such as one that was made a minute ago. */
const added = readdirSync(join(import.meta.dirname, "../../../packages"))
  .flatMap((name) => /^backend-(.+)$/.exec(name)?.[1] ?? [])
  .filter((name) => !["js", "wasm", "webgpu", "onnx"].includes(name))
  .sort();

/** The error message that a wrong command line gets. */
function complaint(...args: string[]): string {
  let told = "";
  const writeErr = (text: string) => {
    told += text;
  };
  expect(() => parseOptions(args, { writeErr })).toThrow(CommanderError);
  return told;
}

test("defaults: every backend on a case of each kind", () => {
  const options = parseOptions([]);
  expect(options.request).toMatchObject({
    backends: ["js", "wasm", "webgpu", "onnx", ...added],
    peers: [],
    dtype: "float32",
    threads: 1,
    samples: null,
    ceiling: false,
    timeWrong: false,
    tune: null,
  });
  expect(options).toMatchObject({ files: {}, compare: null, from: null, list: false });
  expect(ids(options)).toContain("bert-base-512");
  expect(ids(options)).not.toContain("h4-l2048-d64");
});

test("everything given", () => {
  const args =
    "--backends js,reference --cases vit-b16-197,h4-l2048-d64 --shape H2,L8,D4 --shape H2,L9,D4 --peers naive,jax-js --dtype float16 --threads 2 --samples 7 --budget 50 --ceiling --time-wrong --tune 300 --json out.json --csv out.csv --compare old.json --threshold 5";
  const options = parseOptions(args.split(" "));
  expect(ids(options)).toEqual(["vit-b16-197", "h4-l2048-d64", "B1,H2,L8,D4", "B1,H2,L9,D4"]);
  expect(options).toMatchObject({
    files: { json: "out.json", csv: "out.csv" },
    compare: "old.json",
    threshold: 5,
  });
  expect(options.request).toMatchObject({
    backends: ["js", "reference"],
    peers: ["naive", "jax-js"],
    dtype: "float16",
    threads: 2,
    samples: 7,
    budget: 50,
    ceiling: true,
    timeWrong: true,
    tune: 300,
  });
});

test("tuning takes a second a case unless a time is given", () => {
  expect(parseOptions(["--tune"]).request.tune).toBe(1000);
  expect(parseOptions(["--tune", "250"]).request.tune).toBe(250);
});

test("a backend can be named again with threads of its own", () => {
  expect(parseOptions(["--backends", "wasm,wasm@2,wasm"]).request.backends).toEqual([
    "wasm",
    "wasm@2",
  ]);
});

test("a backend can be named with what it runs on, or which build", () => {
  const names = ["onnx:wasm", "onnx:cpu@2", "wasm:baseline@2"];
  expect(parseOptions(["--backends", names.join(",")]).request.backends).toEqual(names);
  expect(complaint("--backends", "onnx:tpu")).toContain("onnx:wasm");
  expect(complaint("--backends", "wasm:fast")).toContain("wasm:baseline, wasm:relaxed");
  expect(complaint("--backends", "js:wasm")).toContain("js has no choice");
});

test.each([
  [["--backends", ""], "names none"],
  [["--cases", ","], "names nothing"],
  [["--peers", " "], "names nothing"],
  [["--threads", "1000000"], "more than 256"],
  [["--shape", "H2,L8,D4", "--shape", "B1,H2,L8,D4"], "B1,H2,L8,D4 twice"],
  [["--shape", "H2,L8"], "--shape: expected D"],
  [["--workloads", "/nowhere/mine.json"], "--workloads"],
])("%j is refused", (args, part) => {
  expect(complaint(...args)).toContain(part);
});

test("a report with plots has the ceiling measured", () => {
  expect(parseOptions(["--html", "report.html"]).request.ceiling).toBe(true);
});

test("a shape alone is measured alone", () => {
  expect(ids(parseOptions(["--shape", "H2,L8,D4"]))).toEqual(["B1,H2,L8,D4"]);
});

test("peers without names are all of them", () => {
  const { request } = parseOptions(["--peers"]);
  expect(request.peers).toContain("ort-web/attention");
  expect(request.budget).toBeLessThan(parseOptions([]).request.budget);
});

test("suites, cases, patterns and shapes add up", () => {
  const args = "--suite sweep-b*,real --cases vit-b16-197 --shape H2,L8,D4".split(" ");
  const chosen = ids(parseOptions(args));
  for (const id of ["sweep-batch-4", "text-recogniser-block1", "vit-b16-197", "B1,H2,L8,D4"]) {
    expect(chosen).toContain(id);
  }
  expect(chosen).not.toContain("bert-base-512");
});

test("a file of shapes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
  const path = join(folder, "mine.json");
  await writeFile(path, JSON.stringify(["H2,L8,D4", { shape: "H2,L9,D4", id: "nine" }]));
  expect(ids(parseOptions(["--workloads", path]))).toEqual(["B1,H2,L8,D4", "nine"]);
  await writeFile(path, "[");
  expect(complaint("--workloads", path)).toContain("JSON");
  expect(complaint("--workloads", join(folder, "none.json"))).toContain("ENOENT");
  await rm(folder, { recursive: true });
});

test("quick leaves out what is large, unless it is named", () => {
  expect(ids(parseOptions(["--quick"]))).not.toContain("whisper-encoder-1500");
  expect(ids(parseOptions(["--quick", "--cases", "whisper-enc*"]))).toHaveLength(1);
  expect(parseOptions(["--quick"]).request.budget).toBeLessThan(parseOptions([]).request.budget);
});

test.each([
  [["--backends", "cuda"], "unknown backends cuda; known: js, wasm"],
  [["--backends", "wasm@two"], "such as wasm@2"],
  [["--backends", "js@2"], "js takes no threads"],
  [["--peers", "torch"], "unknown peers torch; known: naive"],
  [["--cases", "bertha"], "unknown cases bertha; known: standard, real, models, speed"],
  [["--suite", "sweep-mass"], "unknown cases sweep-mass"],
  [["--shape", "H2,L8"], "--shape: expected D"],
  [["--dtype", "int8"], "float32, float16, float64"],
  [["--samples", "0"], "not an integer ≥ 1"],
  [["--threads", "many"], "not an integer ≥ 1"],
  [["--json"], "argument missing"],
  [["--fast"], "unknown option '--fast'"],
  [["bert-base-512"], "too many arguments"],
])("%j is refused, saying why", (args, part) => {
  expect(complaint(...args)).toContain(part);
});
