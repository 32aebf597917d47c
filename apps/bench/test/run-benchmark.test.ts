import {
  type AttentionProvider,
  BackendUnavailableError,
  defineBackend,
  isDeviceTensor,
  zeros,
} from "@heed/core";
import { csvParse } from "d3-dsv";
import { expect, test } from "vitest";
import { backendContender } from "../src/contenders/backend-contender.js";
import { backendByName } from "../src/contenders/backends.js";
import {
  type BenchmarkOptions,
  type ProgressEvent,
  runBenchmark,
} from "../src/measure/run-benchmark.js";
import { recommend } from "../src/recommend/recommend.js";
import { columnsFor } from "../src/report/cells.js";
import { reportToCsv } from "../src/report/csv.js";
import { mergeLaunches } from "../src/report/merge-launches.js";
import { parseReport } from "../src/report/parse.js";
import type { BenchReport, CaseResult } from "../src/report/report.js";
import { rowsOf } from "../src/report/rows.js";
import { customWorkload } from "../src/workloads/generated.js";
import { selectWorkloads } from "../src/workloads/select.js";
import { parseShape } from "../src/workloads/shape.js";
import {
  counting,
  deviceProvider,
  environment,
  misshapen,
  nonsense,
  refusing,
  right,
  throwing,
  unavailable,
  wrong,
} from "./contenders.js";

const tiny = customWorkload(parseShape("B2,Hq4,Hkv2,Lq3,Lk9,D8,causal"));

function run(options: Partial<BenchmarkOptions>): Promise<BenchReport> {
  return runBenchmark({
    workloads: [tiny],
    contenders: [right],
    environment,
    dtype: "float32",
    threads: 1,
    budget: 5,
    samples: 2,
    ...options,
  });
}

function results(report: BenchReport): readonly CaseResult[] {
  return report.cases[0]?.results ?? [];
}

test("reading an output is told apart where it is a copy, and not where it may be a wait", async () => {
  const slow = (device: string) => {
    const { provider } = deviceProvider({ device, readTakes: 4 });
    return backendContender(device, async () => provider);
  };
  const report = await run({ contenders: [slow("CPU"), slow("some GPU"), right] });
  const [copied, waited, plain] = results(report);
  expect(copied).toMatchObject({ status: "measured", readTiming: { count: 2 } });
  if (copied?.status !== "measured" || !copied.readTiming) return;
  // Timers may fire early by less than 1 ms.
  expect(copied.readTiming.median).toBeGreaterThan(3);
  expect(copied.readTiming.median).toBeLessThanOrEqual(copied.timing.median);
  expect(waited).toMatchObject({ status: "measured" });
  expect(waited).not.toHaveProperty("readTiming");
  expect(plain).not.toHaveProperty("readTiming");

  expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  const merged = mergeLaunches([report, report]);
  expect(results(merged)[0]).toMatchObject({ readTiming: { count: 4 } });
  const [row, other] = rowsOf(report);
  expect(row?.shown?.readMedian).toBe(copied.readTiming.median);
  expect(other?.shown?.readMedian).toBeNull();
  const heads = columnsFor(rowsOf(report), false).map(({ head }) => head);
  expect(heads).toContain("of it read");
  const without = columnsFor(rowsOf(await run({})), false).map(({ head }) => head);
  expect(without).not.toContain("of it read");
});

test("other operations are measured, judged and refused like attention", async () => {
  const onlyAttention = backendContender("attention-only", async () =>
    defineBackend({
      name: "attention-only",
      load: () => null,
      info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
      operations: {},
    }),
  );
  const contenders = [right, wrong, backendByName("js", { threads: 1 }), onlyAttention];
  const report = await run({
    workloads: selectWorkloads(["llama-3-8b-rotary-decode-b16", "llama-3-8b-merge-decode-4"]),
    contenders,
  });
  expect(report.cases.map(({ operation, sizes }) => ({ operation, sizes }))).toEqual([
    {
      operation: "rotary",
      sizes: { batch: 16, heads: 32, length: 1, headDim: 128, rotaryDim: 128 },
    },
    { operation: "merge", sizes: { parts: 4, rows: 32, valueDim: 128 } },
  ]);
  for (const { results, flops, bytes } of report.cases) {
    expect(results.map(({ status }) => status)).toEqual([
      "measured",
      "wrong",
      "measured",
      "refused",
    ]);
    expect(results[2]).toMatchObject({ attention: { host: { count: expect.any(Number) } } });
    expect(Math.min(flops, bytes)).toBeGreaterThan(0);
  }
  const rows = rowsOf(report);
  const heads = columnsFor(rows, false).map(({ head }) => head);
  expect(heads).toContain("GB/s");
  expect(columnsFor(rowsOf(await run({})), false).map(({ head }) => head)).not.toContain("GB/s");
  const read = parseReport(JSON.parse(JSON.stringify(report)));
  expect(read).toEqual(report);
  const [first] = csvParse(reportToCsv(report));
  expect(first).toMatchObject({ operation: "rotary", rotaryDim: "128", parts: "" });
  // Measurements of other operations say nothing about attention.
  expect(recommend(report)).toEqual([]);
});

test("inputs of every operation are uploaded to a backend with memory of its own", async () => {
  const report = await run({
    workloads: selectWorkloads(["qwen3-0.6b-rotary-decode-1024", "llama-3-8b-merge-decode-2"]),
    contenders: [backendByName("wasm", { threads: 1 })],
  });
  for (const { results } of report.cases) {
    expect(results).toMatchObject([{ status: "measured", inputs: "resident" }]);
    expect(results[0]).toHaveProperty("attention.resident");
  }
});

test("a report from before other operations were measured is one of attention", async () => {
  const report = JSON.parse(JSON.stringify(await run({})));
  delete report.cases[0].operation;
  expect(parseReport(report).cases[0]?.operation).toBe("attention");
});

test("a tiny case on the reference and the js backend", async () => {
  const js = backendByName("js", { threads: 1 });
  const report = await run({ contenders: [right, js] });
  expect(report.contenders.map(({ status }) => status)).toEqual(["ready", "ready"]);
  const [first, second] = results(report);
  for (const result of [first, second]) {
    expect(result).toMatchObject({ status: "measured", inputs: "host" });
    if (result?.status !== "measured") continue;
    expect(result.errorInBudgets).toBeGreaterThanOrEqual(0);
    expect(result.errorInBudgets).toBeLessThanOrEqual(1);
    expect(result.launches.flatMap(({ rounds }) => rounds).flat()).toHaveLength(2);
    expect(result.timing.count).toBe(2);
  }
  expect(first).not.toHaveProperty("ratio");
  expect(second).toHaveProperty("ratio.rounds", 2);
});

test("everybody's fate is told apart, and only what is right is timed", async () => {
  const contenders = [unavailable, refusing, wrong, nonsense, misshapen, throwing, right];
  const report = await run({ contenders });
  expect(report.contenders[0]).toMatchObject({
    status: "unavailable",
    reason: "there is no such device",
    hint: "buy one",
  });
  expect(results(report).map(({ contender, status }) => [contender, status])).toEqual([
    ["choosy", "refused"],
    ["sloppy", "wrong"],
    ["dazed", "wrong"],
    ["flat", "wrong"],
    ["fragile", "failed"],
    ["right", "measured"],
  ]);
  const [, sloppy, dazed, flat, fragile, measured] = results(report);
  if (sloppy?.status !== "wrong" || dazed?.status !== "wrong") throw new Error("unreachable");
  expect(sloppy.errorInBudgets).toBeGreaterThan(1);
  expect(dazed.errorInBudgets).toBeNull();
  expect(flat).toHaveProperty("message", expect.stringContaining("shape"));
  expect(fragile).toHaveProperty("message", "the device went away");
  // The first that was measured is what the others are compared with.
  expect(measured).not.toHaveProperty("ratio");
});

test("what is wrong is timed if asked, stays wrong, and is what nothing is compared with", async () => {
  const contenders = [wrong, refusing, right, nonsense];
  const report = await run({ contenders, timeWrong: true });
  expect(results(report).map(({ contender, status }) => [contender, status])).toEqual([
    ["sloppy", "wrong"],
    ["choosy", "refused"],
    ["right", "measured"],
    ["dazed", "wrong"],
  ]);
  const [sloppy, , measured, dazed] = results(report);
  expect(measured).not.toHaveProperty("ratio");
  for (const result of [sloppy, dazed]) {
    expect(result).not.toHaveProperty("timing");
    expect(result).toMatchObject({
      message: expect.any(String),
      timed: { timing: { count: 2 }, ratio: { rounds: 2 } },
    });
  }
  expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  // Alone, there is nothing that is right to be compared with.
  const [alone] = results(await run({ contenders: [wrong], timeWrong: true }));
  expect(alone).toMatchObject({ status: "wrong", timed: { timing: { count: 2 } } });
  expect(alone).not.toHaveProperty("timed.ratio");
});

test("a report survives JSON", async () => {
  const contenders = [unavailable, refusing, wrong, nonsense, throwing, right];
  const ceiling = {
    threads: 1,
    arithmetic: [{ features: "simd128", gflops: 40 }],
    readGBps: 20,
  };
  const report = await run({ contenders, environment: { ...environment, ceiling } });
  expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
});

test("inputs go to the device, and everything made is disposed of", async () => {
  const { provider, live } = deviceProvider();
  const device = backendContender("device", async () => provider);
  expect(results(await run({ contenders: [device] }))).toMatchObject([
    { status: "measured", inputs: "resident" },
  ]);
  expect(live()).toBe(0);
});

test("a call through core is timed beside its plan, on host tensors and on resident ones", async () => {
  const { provider } = deviceProvider({ readTakes: 3 });
  const device = backendContender("device", async () => provider);
  const report = await run({ contenders: [right, device] });
  const [host, resident] = results(report);
  expect(host).toMatchObject({ status: "measured", attention: { host: { count: 2 } } });
  expect(host).not.toHaveProperty("attention.resident");
  expect(resident).toMatchObject({
    status: "measured",
    attention: { host: { count: 2 }, resident: { count: 2 } },
  });
  if (resident?.status !== "measured" || !resident.attention?.resident) return;
  // Only what is resident has to be read; timers may fire early by less than 1 ms.
  expect(resident.attention.resident.median).toBeGreaterThan(2);

  expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  const merged = mergeLaunches([report, report]);
  expect(results(merged)[1]).toMatchObject({
    attention: { host: { count: 4 }, resident: { count: 4 } },
  });
  const rows = rowsOf(report);
  expect(rows[1]?.shown?.attention).toEqual({
    host: resident.attention.host.median,
    resident: resident.attention.resident.median,
  });
  const heads = columnsFor(rows, false).map(({ head }) => head);
  expect(heads).toContain("run, host");
  expect(heads).toContain("run, resident");
  const csv = csvParse(reportToCsv(report));
  expect(Number(csv[1]?.attention_run_host_median_ms)).toBe(resident.attention.host.median);
  expect(csv[0]?.attention_run_resident_median_ms).toBe("");
});

test("a launch that did not call through core leaves that out of what is put together", async () => {
  const report = await run({});
  const strip = (result: CaseResult): CaseResult => {
    if (result.status !== "measured") return result;
    const { attention: _, ...kept } = result;
    return { ...kept, launches: kept.launches.map(({ attention: _, ...launch }) => launch) };
  };
  const without = {
    ...report,
    cases: report.cases.map((c) => ({ ...c, results: c.results.map(strip) })),
  };
  expect(results(mergeLaunches([without, report]))[0]).not.toHaveProperty("attention");
  expect(results(mergeLaunches([report, report]))[0]).toHaveProperty("attention.host");
});

test("what is wrong through core alone is wrong", async () => {
  const { provider } = deviceProvider();
  // Resident tensors are right, host tensors are not.
  const spoilt: AttentionProvider = {
    name: "device",
    load: async () => {
      const backend = await provider.load();
      return {
        ...backend,
        plan: async (problem) => {
          const plan = await backend.plan(problem);
          return {
            ...plan,
            run: async (inputs) => {
              const outputs = await plan.run(inputs);
              if (isDeviceTensor(inputs.query)) return outputs;
              return { output: zeros("float32", outputs.output.shape) };
            },
          };
        },
      };
    },
  };
  const report = await run({ contenders: [backendContender("device", async () => spoilt)] });
  expect(results(report)).toMatchObject([
    { status: "wrong", message: expect.stringMatching(/^attention\.run on host tensors: /) },
  ]);
});

test("a backend that is unavailable says so itself, and not through core", async () => {
  const provider: AttentionProvider = {
    name: "absent",
    load: async () => {
      throw new BackendUnavailableError("there is no such device", "buy one");
    },
  };
  const report = await run({ contenders: [backendContender("absent", async () => provider)] });
  expect(report.contenders).toMatchObject([
    { status: "unavailable", reason: "there is no such device", hint: "buy one" },
  ]);
});

test("plans, calls and backends are disposed of, also when it is stopped", async () => {
  const whole = counting();
  await run({ contenders: [whole.contender] });
  expect(whole.open()).toBe(0);

  const stopped = counting();
  const controller = new AbortController();
  const stop = (event: ProgressEvent) => {
    if (event.type === "step" && event.step === "timing") controller.abort(new Error("enough"));
  };
  const running = run({
    contenders: [stopped.contender],
    signal: controller.signal,
    onProgress: stop,
  });
  expect(await running).toMatchObject({ interrupted: true, cases: [] });
  expect(stopped.open()).toBe(0);
});

test("what takes longer than all that is allowed is called once", async () => {
  const report = await run({ contenders: [right, right], budget: 1e-6, samples: null });
  for (const result of results(report)) {
    if (result.status !== "measured") throw new Error(result.status);
    expect(result.launches).toEqual([
      { rounds: [[result.firstCallMs]], yardstick: [expect.any(Number)] },
    ]);
  }
});

test("progress names the case and its step", async () => {
  const seen: string[] = [];
  await run({
    onProgress: (event) => seen.push(event.type === "step" ? event.step : event.type),
  });
  expect(seen).toEqual(["loaded", "oracle", "checking right", "timing", "case"]);
});
