import { type HostTensor, tensor } from "@heed/core";
import { expect, test } from "vitest";
import { backendByName } from "../src/contenders/backends.js";
import type { Contender } from "../src/contenders/contender.js";
import type { MemoryMeter } from "../src/measure/memory.js";
import { type BenchmarkOptions, runBenchmark } from "../src/measure/run-benchmark.js";
import type { DecodeDType, DecodeKind, DecodeSizes } from "../src/operations/decode/problem.js";
import { growth } from "../src/operations/decode/problem.js";
import { decodeWorkload } from "../src/operations/decode/workloads.js";
import { peerByName } from "../src/peers/peers.js";
import { columnsFor } from "../src/report/cells.js";
import { parseReport } from "../src/report/parse.js";
import type { BenchReport } from "../src/report/report.js";
import { rowsOf } from "../src/report/rows.js";
import { selectWorkloads } from "../src/workloads/select.js";
import { environment } from "./contenders.js";

const small: DecodeSizes = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  headDim: 8,
  // Not a multiple of the tokens that fill a cache at a time, nor of a page.
  length: growth + 13,
  kind: "static",
  dtype: "float32",
};

const backends = ["js", "wasm"].map((name) => backendByName(name, { threads: 1 }));

function run(
  storages: readonly Partial<DecodeSizes>[],
  options: Partial<BenchmarkOptions> = {},
): Promise<BenchReport> {
  return runBenchmark({
    workloads: storages.map((storage) => decodeWorkload({ ...small, ...storage })),
    contenders: backends,
    environment,
    dtype: "float32",
    threads: 1,
    budget: 5,
    samples: growth + 5,
    ...options,
  });
}

const kinds: readonly DecodeKind[] = ["static", "rolling", "paged"];
const dtypes: readonly DecodeDType[] = ["float32", "float16", "int8"];
const storages = [
  ...kinds.flatMap((kind) => dtypes.map((dtype) => ({ kind, dtype }))),
  { kind: "concatenate", dtype: "float32" },
] as const;

test("every kind of storage is stepped through, past the end of its room, and judged", async () => {
  const report = await run(storages);
  for (const { id, results, tokens } of report.cases) {
    expect(tokens, id).toBe(2);
    for (const result of results) {
      expect(result, `${id} ${result.contender}`).toMatchObject({ status: "measured" });
    }
  }
  const bytes = report.cases.map(({ results }) =>
    results.map((result) => (result.status === "measured" ? result.cacheBytes : null)),
  );
  const rows = 2 * small.batch * small.kvHeads * (small.length + growth);
  const [static32, static16, static8] = bytes;
  expect(static32).toEqual(backends.map(() => rows * 4 * small.headDim));
  expect(static16).toEqual(backends.map(() => rows * 2 * small.headDim));
  expect(static8).toEqual(backends.map(() => rows * (small.headDim + 4)));

  expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  const heads = columnsFor(rowsOf(report), false).map(({ head }) => head);
  expect(heads).toEqual(expect.arrayContaining(["tokens/s", "cache"]));
  const [row] = rowsOf(report);
  expect(row?.numbers?.tokensPerSecond).toBeCloseTo(2000 / (row?.numbers?.median ?? 0), 6);
});

/** A contender whose steps change their output before it is judged. */
function spoilt(name: string, change: (output: HostTensor) => HostTensor): Contender {
  const inner = backendByName("js", { threads: 1 });
  return {
    ...inner,
    name,
    load: async () => {
      const loaded = await inner.load();
      return {
        ...loaded,
        plan: async (problem, inputs) => {
          const plan = await loaded.plan(problem, inputs);
          return {
            ...plan,
            place: async (call) => {
              const placed = await plan.place(call);
              return {
                ...placed,
                run: async () => {
                  const { output } = await placed.run();
                  return { output: change(output as HostTensor) };
                },
              };
            },
          };
        },
      };
    },
  };
}

test("steps that are wrong in one element, or swap sequences, are not timed", async () => {
  const last = spoilt("last", (output) => {
    const data = (output.data as Float32Array).slice();
    data[data.length - 1] = (data.at(-1) as number) + 1e-3;
    return tensor(data, output.shape);
  });
  const swapped = spoilt("swapped", (output) => {
    const data = output.data as Float32Array;
    const half = data.length / 2;
    const turned = new Float32Array(data.length);
    turned.set(data.subarray(half));
    turned.set(data.subarray(0, half), half);
    return tensor(turned, output.shape);
  });
  const report = await run(
    [{}, { kind: "rolling" }, { kind: "paged", dtype: "int8" }, { dtype: "float16" }],
    { contenders: [spoilt("same", (output) => output), last, swapped], samples: 1 },
  );
  for (const { results } of report.cases) {
    expect(results.map(({ status }) => status)).toEqual(["measured", "wrong", "wrong"]);
    expect(results[1]).toMatchObject({ message: expect.stringContaining("at [1, 3, 0, 7]") });
  }
});

test("what does not fit into memory, and other dtypes of queries, are left out with the reason", async () => {
  const memory = (bytes: number): MemoryMeter => ({
    start: () => () => ({ bytes: null, of: "nothing" }),
    free: () => bytes,
  });
  const sizes = [{}, { dtype: "int8" as const }];
  const report = await run(sizes, { memory: memory(50_000), samples: 1 });
  const [float32, int8] = report.cases.map(({ results }) => results);
  expect(float32?.[1]).toMatchObject({
    status: "refused",
    reasons: [
      { code: "memory", message: expect.stringMatching(/^it needs 35\.3 KiB, more than 40 %/) },
    ],
  });
  expect(int8?.[1]).toMatchObject({ status: "measured" });

  const half = await run([{}], { dtype: "float16", samples: 1 });
  for (const result of half.cases[0]?.results ?? []) {
    expect(result).toMatchObject({ status: "refused", reasons: [{ code: "dtype" }] });
  }
});

test("onnxruntime's own cache is judged beside, in place and not, also of int8", async () => {
  const report = await run([{}, { dtype: "int8" }, { dtype: "float16" }, { kind: "paged" }], {
    contenders: ["ort-node/cache", "ort-web/cache", "naive"].map((name) =>
      peerByName(name, { threads: 1 }),
    ),
    samples: growth + 3,
  });
  const statuses = report.cases.map(({ results }) => results.map(({ status }) => status));
  expect(statuses).toEqual([
    ["measured", "measured", "measured"],
    ["measured", "measured", "refused"],
    ["refused", "refused", "refused"],
    ["refused", "refused", "refused"],
  ]);
});

test("the suite has each storage at four lengths and two batches, in no other suite", () => {
  const ids = selectWorkloads(["decode"]).map(({ id }) => id);
  expect(ids).toHaveLength(4 * 2 * storages.length);
  expect(ids).toEqual(
    expect.arrayContaining(["decode-32768-static-int8", "decode-b8-512-concatenate"]),
  );
  expect(selectWorkloads(["standard"]).filter(({ suite }) => suite === "decode")).toEqual([]);
});
