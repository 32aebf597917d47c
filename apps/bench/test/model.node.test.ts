import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeModel, GraphBuilder } from "@heed/backend-onnx/model";
import type { OnnxTensor } from "@heed/splice";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { gpt2 } from "../../../packages/splice/test/models/decoders.js";
import { bert } from "../../../packages/splice/test/models/encoders.js";
import { multiHeadOperator } from "../../../packages/splice/test/models/operators.js";
import { main } from "../src/cli/main.js";
import { parseOptions } from "../src/cli/options.js";
import { backendByName } from "../src/contenders/backends.js";
import { runBenchmark } from "../src/measure/run-benchmark.js";
import { type OpenedModel, openModel } from "../src/model/open.js";
import { modelRequest } from "../src/model/request.js";
import { asOutputs, type ModelInputs } from "../src/operations/model/operation.js";
import { recommend } from "../src/recommend/recommend.js";
import { columnsFor } from "../src/report/cells.js";
import { parseReport } from "../src/report/parse.js";
import type { BenchReport } from "../src/report/report.js";
import { rowsOf } from "../src/report/rows.js";
import type { Workload } from "../src/workloads/workload.js";
import { environment, wrong } from "./contenders.js";

async function opened(bytes: Uint8Array, random: string): Promise<OpenedModel> {
  const request = modelRequest("models/tiny.onnx", { random });
  return openModel(request, { threads: 1, read: async () => bytes });
}

/** The report with another time, in milliseconds, of the model's own nodes. */
function withRuntime(report: BenchReport, ms: number): BenchReport {
  return {
    ...report,
    cases: report.cases.map((one) => ({
      ...one,
      results: one.results.map((result) =>
        result.status === "measured" && result.contender === "onnxruntime"
          ? { ...result, timing: { ...result.timing, median: ms } }
          : result,
      ),
    })),
  };
}

async function measure(bytes: Uint8Array, random: string): Promise<BenchReport> {
  const model = await opened(bytes, random);
  try {
    return await runBenchmark({
      workloads: model.workloads,
      contenders: [model.contender, backendByName("js", { threads: 1 }), wrong],
      environment,
      dtype: "float32",
      threads: 1,
      budget: 5,
      samples: 2,
    });
  } finally {
    await model.dispose();
  }
}

describe("a model", () => {
  test("is measured site by site and as a whole, beside its own nodes, and what is wrong is found", async () => {
    const report = await measure(bert().bytes, "batch=2,length=5");
    expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
    const [site, whole] = report.cases;
    expect(report.cases).toHaveLength(2);
    expect(site).toMatchObject({
      suite: "model",
      operation: "attention",
      sizes: { batch: 2, queryHeads: 2, queryLength: 5, keyLength: 5, headDim: 4 },
    });
    expect(whole).toMatchObject({ id: "tiny.onnx", operation: "model", sizes: { sites: 1 } });
    expect(site?.results[2]).toMatchObject({ contender: "sloppy", status: "wrong" });
    for (const { results } of report.cases) {
      expect(results.slice(0, 2)).toMatchObject([
        { contender: "onnxruntime", status: "measured" },
        { contender: "js", status: "measured" },
      ]);
      for (const result of results.slice(0, 2)) {
        if (result.status !== "measured") throw new Error(result.status);
        expect(result.errorInBudgets).toBeLessThanOrEqual(1);
      }
    }
    expect(whole?.results.map((result) => "kernel" in result && result.kernel)).toEqual([
      "the file as it is",
      "1 of 1 sites",
      // It stands for a single call, and cannot run several.
      false,
    ]);
  });

  test("an output of a model that is a little off is wrong, and so is one that is missing", async () => {
    const { workloads, dispose } = await opened(bert().bytes, "batch=2,length=5");
    try {
      const whole = workloads.at(-1) as Workload;
      const inputs = (await whole.load("float32")) as ModelInputs;
      const judge = whole.operation.prepareJudge(inputs);
      expect(judge(asOutputs(inputs.own)).wrong).toBeNull();
      const [name, { type, dims, data }] = Object.entries(inputs.own)[0] as [string, OnnxTensor];
      const off = Float32Array.from(data as Float32Array, (x) => x + 1e-3);
      expect(
        judge(asOutputs({ ...inputs.own, [name]: { type, dims, data: off } })).wrong,
      ).toContain(`the output ${name} differs by up to 0.00`);
      const { [name]: _, ...others } = inputs.own;
      expect(judge(asOutputs(others)).wrong).toBe(`the output ${name} is missing`);
    } finally {
      await dispose();
    }
  });

  test("the recommendation names the fastest backend of each site, and no rate of a whole model", async () => {
    const report = await measure(gpt2(0).bytes, "batch=1,length=3");
    const [advice] = recommend(report);
    expect(advice?.sites).toHaveLength(report.cases.length);
    for (const [at, line] of (advice?.sites ?? []).entries()) {
      expect(line).toMatch(/: js, [\d.]+ ms, \d+\.\d times as fast as the model's own nodes/);
      expect(line.startsWith(`${report.cases[at]?.id}: `)).toBe(true);
    }
    const [slow] = recommend(withRuntime(report, 1e3));
    for (const line of slow?.sites ?? []) expect(line).toMatch(/the model's own nodes$/);
    const [fast] = recommend(withRuntime(report, 1e-6));
    for (const line of fast?.sites ?? []) {
      expect(line).toMatch(/ 0\.0 times as fast as the model's own nodes: onnxruntime alone takes/);
    }
    const rows = rowsOf(report).filter(({ report: { operation } }) => operation === "model");
    const rate = columnsFor(rows, false).find(({ head }) => head === "GFLOP/s");
    for (const { shown } of rows) if (shown) expect(rate?.cell(shown)).toBe("–");
  });

  test("whose attention is an operator with heads in the last axis", async () => {
    const { workloads, contender, dispose } = await opened(multiHeadOperator().bytes, "length=5");
    try {
      const report = await runBenchmark({
        workloads,
        contenders: [contender],
        environment,
        dtype: "float32",
        threads: 1,
        budget: 5,
        samples: 1,
      });
      expect(report.cases.map(({ results }) => results[0]?.status)).toEqual(
        workloads.map(() => "measured"),
      );
    } finally {
      await dispose();
    }
  });
});

describe("the command", () => {
  let folder: string;
  let printed: string;
  let told: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
    printed = "";
    told = "";
    vi.spyOn(console, "log").mockImplementation((text: string) => {
      printed += `${text}\n`;
    });
    vi.spyOn(console, "error").mockImplementation((text: string) => {
      told += `${text}\n`;
    });
    vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true });
  });

  async function file(name: string, bytes: Uint8Array): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, bytes);
    return path;
  }

  test("--model measures that alone, and says which backend is fastest", async () => {
    const model = await file("mine.onnx", bert().bytes);
    const json = join(folder, "report.json");
    const args = ["--model", model, "--random", "batch=1,length=4", "--samples", "1"];
    expect(await main([...args, "--backends", "js", "--json", json])).toBe(0);
    const report = parseReport(JSON.parse(await readFile(json, "utf8")));
    expect(report.cases.map(({ suite }) => suite)).toEqual(["model", "model"]);
    expect(printed).toMatch(/the attention of the model, with its own tensors.*\n.*: js, /);
    expect(told).toContain("is left to the runtime: ");
  });

  test("wrong files are exit code 2, and say what is wrong", async () => {
    const good = await file("good.onnx", bert().bytes);
    const cases: [string[], string][] = [
      [["--model", join(folder, "none.onnx")], "ENOENT"],
      [["--model", await file("text.onnx", Buffer.from("no model at all"))], "ONNX"],
      [
        ["--model", await file("cut.onnx", bert().bytes.subarray(0, 900))],
        "the file ends after 900 bytes",
      ],
      [["--model", await file("plain.onnx", withoutAttention())], "no attention was found"],
      [["--model", good, "--feeds", good], "numpy.savez"],
      [["--model", good, "--random", "batch=1"], "a size of "],
    ];
    for (const [args, said] of cases) {
      told = "";
      expect(await main([...args, "--backends", "js", "--samples", "1"]), args.join(" ")).toBe(2);
      expect(told).toContain(said);
      expect(told).toContain(`--model ${args[1]}: `);
    }
  });

  test.each([
    [["--random", "length=4"], "need --model"],
    [["--feeds", "x.npz"], "need --model"],
    [["--model", "x", "--feeds", "y", "--random", "length=4"], "one or the other"],
    [["--model", "x", "--random", "length"], "NAME=SIZE"],
    [["--model", "x", "--dtype", "float16"], "--dtype has no meaning"],
  ])("%j is refused", (args, said) => {
    let text = "";
    const output = {
      writeErr: (line: string) => {
        text += line;
      },
    };
    expect(() => parseOptions(args, output)).toThrow();
    expect(text).toContain(said);
  });
});

function withoutAttention(): Uint8Array {
  const graph = new GraphBuilder(13);
  const x = graph.input("x", "float32", [2, 2]);
  graph.output("y", graph.op("Relu", [x]), "float32", [2, 2]);
  return encodeModel(graph.build());
}
