import {
  type AttentionInputs,
  attention as definition,
  type FloatDType,
  type HostTensor,
} from "@heed/core";
import { expect, test } from "vitest";
import { backendByName } from "../src/contenders/backends.js";
import { runBenchmark } from "../src/measure/run-benchmark.js";
import { recommend } from "../src/recommend/recommend.js";
import { columnsFor } from "../src/report/cells.js";
import { reportToCsv } from "../src/report/csv.js";
import { parseReport } from "../src/report/parse.js";
import { rowsOf } from "../src/report/rows.js";
import { selectWorkloads } from "../src/workloads/select.js";
import type { Workload } from "../src/workloads/workload.js";
import { environment } from "./contenders.js";

const suite = selectWorkloads(["sparse"]);

/** A case's tiles and work, counted as a run counts them. */
async function counted(id: string) {
  const workload = suite.find((one) => one.id === id) as Workload;
  const inputs = (await workload.load("float32")) as AttentionInputs<HostTensor>;
  const [, heads = 0, length = 0, size = 0] = inputs.query.shape;
  const { flops } = workload.work?.(inputs) ?? { flops: 0 };
  return { tiles: workload.tiles?.(inputs) ?? null, pairs: flops / (4 * heads * size), length };
}

test("a program leaves the pairs and the tiles that its flag leaves", async () => {
  for (const name of ["causal-2048", "window-256-8192"]) {
    const [flag, program] = [await counted(`${name}-flag`), await counted(`${name}-program`)];
    expect(program.pairs, name).toBe(flag.pairs);
    expect(program.tiles, name).toEqual(flag.tiles);
  }
  const { tiles } = await counted("causal-2048-flag");
  // 32 × 32 tiles, of which those above the diagonal are empty.
  expect(tiles).toEqual({ queries: 64, keys: 64, skipped: (31 * 32) / 2 / 32 ** 2 });
});

test("pairs and tiles of masks that can be counted by hand", async () => {
  const documents = await counted("documents-4096-program");
  expect(documents.pairs).toBe(8 * 512 ** 2);
  expect(documents.tiles?.skipped).toBe(7 / 8);
  const neighbours = await counted("neighbourhood-64x64-program");
  expect(neighbours.pairs).toBe(4096 * 49);
  // A tile is a row of the image, which sees seven.
  expect(neighbours.tiles?.skipped).toBe(1 - 7 / 64);
  expect((await counted("full-4096")).tiles).toBeNull();
  expect((await counted("full-4096")).pairs).toBe(4096 ** 2);
});

test("the other cases make valid calls; one as a program has its block mask", async () => {
  const others = suite.filter(({ id }) =>
    /^(bigbird|longformer|swin|softcap-2048-program)/.test(id),
  );
  for (const workload of others) {
    const inputs = await workload.load("float32" satisfies FloatDType);
    const problem = workload.operation.definition.describe(inputs);
    expect(problem.operation).toBe("attention");
    if (!workload.id.endsWith("-program") || workload.id.startsWith("softcap")) continue;
    const { maskMod, blockMask } = definition.describe(inputs as AttentionInputs);
    expect(maskMod && blockMask, workload.id).toBeTruthy();
    expect(workload.tiles?.(inputs)?.skipped, workload.id).toBeGreaterThan(0.4);
  }
});

test("calls of their own are judged each; the share of skipped tiles is in every row", async () => {
  const report = await runBenchmark({
    workloads: selectWorkloads([
      "documents-4096-calls",
      "documents-4096-ragged",
      "causal-2048-flag",
    ]),
    contenders: [backendByName("wasm", { threads: 1 })],
    environment,
    dtype: "float32",
    threads: 1,
    budget: 5,
    samples: 1,
  });
  const [flag, calls, ragged] = report.cases;
  expect(calls?.sizes).toMatchObject({ calls: 8, queryLength: 512 });
  for (const { id, results } of report.cases) {
    expect(
      results.map(({ status }) => status),
      id,
    ).toEqual(["measured"]);
  }
  expect(calls?.flops).toBe(4 * 2 * 64 * 8 * 512 ** 2);
  expect(calls?.flops).toBe(ragged?.flops);
  expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  // Lengths alone do not say that a call is sparse.
  expect(recommend(report)).toEqual([]);
  const [row, other] = rowsOf(report);
  expect(row?.numbers?.tilesSkipped).toBe(flag?.tiles?.skipped);
  expect(other?.numbers?.tilesSkipped).toBeNull();
  const column = columnsFor(rowsOf(report), false).find(({ head }) => head === "tiles skipped");
  expect(row?.numbers && column?.cell(row.numbers)).toBe("48 %");
  expect(reportToCsv(report)).toContain(`,${flag?.tiles?.skipped},`);
});
