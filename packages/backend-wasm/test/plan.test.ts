import { type AttentionInputs, describeProblem, type FloatDType, tensor, zeros } from "@heed/core";
import { describe, expect, test } from "vitest";
import {
  defaultLimits,
  planProblem,
  threadBytes,
  totalBytes,
  type WasmPlan,
  workspaceBytes,
} from "../src/attention/plan.js";
import { noItem } from "../src/shared/control.js";

interface Shape {
  readonly batch?: number;
  readonly heads?: readonly [query: number, key: number];
  readonly lengths: readonly [query: number, key: number];
  readonly sizes?: readonly [head: number, value: number];
  readonly dtype?: FloatDType;
  readonly returns?: AttentionInputs["returns"];
}

const problemOf = (shape: Shape) => describeProblem(inputsOf(shape));

function inputsOf({
  batch = 1,
  heads = [1, 1],
  lengths,
  sizes = [64, 64],
  dtype,
  returns,
}: Shape): AttentionInputs {
  const repeated = (shape: number[]) =>
    tensor(zeros(dtype ?? "float32", [1]).data, shape, {
      dtype: dtype ?? "float32",
      strides: shape.map(() => 0),
    });
  return {
    query: repeated([batch, heads[0], lengths[0], sizes[0]]),
    key: repeated([batch, heads[1], lengths[1], sizes[0]]),
    value: repeated([batch, heads[1], lengths[1], sizes[1]]),
    returns,
  };
}

const planOf = (shape: Shape, threads = 1): WasmPlan =>
  planProblem(problemOf(shape), {
    ...defaultLimits,
    threads,
    tileElements: 5760,
    batchInvariant: false,
  });
const bytesOf = (shape: Shape, threads = 1): number =>
  workspaceBytes(problemOf(shape), planOf(shape, threads), "splat");

describe("planProblem", () => {
  test("streams at most four rows of a group, unless weights or scores are wanted", () => {
    expect(planOf({ lengths: [1, 2048] }).kernel).toBe("few");
    expect(planOf({ heads: [32, 8], lengths: [1, 2048] }).kernel).toBe("few");
    expect(planOf({ heads: [32, 8], lengths: [2, 2048] }).kernel).toBe("tiled");
    expect(planOf({ lengths: [4, 2048] }).kernel).toBe("few");
    expect(planOf({ lengths: [5, 2048] }).kernel).toBe("tiled");
    expect(planOf({ lengths: [1, 2048], returns: { weights: true } }).kernel).toBe("tiled");
    expect(planOf({ lengths: [1, 2048], returns: { scores: "raw" } }).kernel).toBe("tiled");
  });

  test("makes blocks of whole panels that cover every row, as even as can be", () => {
    for (const length of [5, 7, 8, 59, 128, 129, 197, 512, 1025]) {
      for (const threads of [1, 2]) {
        const { grid } = planOf({ lengths: [length, length], sizes: [15, 59] }, threads);
        const { rows: blockRows, blocks } = grid;
        expect(blockRows % 8).toBe(0);
        expect(blockRows).toBeLessThanOrEqual(512);
        expect(blockRows * blocks).toBeGreaterThanOrEqual(length);
        expect(blockRows * (blocks - 1)).toBeLessThan(length);
      }
    }
  });

  test("makes blocks as long as threads have enough of them", () => {
    const rowsOf = (kvHeads: number, length: number, threads: number) =>
      planOf({ heads: [kvHeads, kvHeads], lengths: [length, length] }, threads).grid.rows;
    expect(rowsOf(1, 2048, 1)).toBe(512);
    expect(rowsOf(12, 200, 1)).toBe(200);
    // 32 blocks for two threads, and 64 for four.
    expect(rowsOf(8, 2048, 2)).toBe(512);
    expect(rowsOf(8, 2048, 4)).toBe(256);
    expect(rowsOf(4, 2048, 4)).toBe(128);
    expect(rowsOf(1, 2048, 4)).toBe(128);
  });

  test("makes tiles of the elements that the build works best with, in whole groups of keys", () => {
    const keys = (tileElements: number) =>
      [16, 64, 80, 128, 256].map((size) => {
        const problem = problemOf({ lengths: [100, 100], sizes: [size, size / 2] });
        const limits = { ...defaultLimits, threads: 1, tileElements, batchInvariant: false };
        return planProblem(problem, limits).tileKeys;
      });
    expect(keys(5760)).toEqual([360, 90, 60, 60, 60]);
    expect(keys(23_040)).toEqual([480, 360, 300, 180, 90]);
  });

  test("needs no memory that grows with either length", () => {
    const at = (length: number) => bytesOf({ lengths: [length, length] });
    expect(at(65_536)).toBe(at(4096));
    expect(bytesOf({ lengths: [1, 65_536] })).toBe(bytesOf({ lengths: [1, 256] }));
    // Split keys keep a row of output a part, of which there are so many a thread.
    expect(bytesOf({ lengths: [1, 65_536] }, 2)).toBe(bytesOf({ lengths: [1, 32_768] }, 2));
  });

  test("keeps a small problem on one thread, and shares a large one", () => {
    expect(planOf({ lengths: [64, 64] }, 4).threads).toBe(1);
    expect(planOf({ lengths: [512, 512] }, 4).threads).toBe(4);
    expect(planOf({ heads: [32, 32], lengths: [1, 2048] }, 4)).toMatchObject({
      threads: 4,
      splits: 1,
    });
  });

  test("splits keys where there are too few blocks, into parts worth a thread's while", () => {
    const decode = planOf({ heads: [1, 1], lengths: [1, 65_536] }, 4);
    expect(decode.splits).toBe(16);
    expect(decode.splitKeys * decode.splits).toBeGreaterThanOrEqual(65_536);
    expect(planOf({ lengths: [100, 600] }, 4).splits).toBe(2);
    expect(planOf({ lengths: [1, 65_536] }, 1).splits).toBe(1);
    expect(planOf({ lengths: [1, 65_536], returns: { weights: true } }, 4).splits).toBe(1);
  });

  test("leaves to one thread what has more items than can be counted", () => {
    const plan = planOf({ batch: 70_000, lengths: [8, 8] }, 4);
    expect(plan.items).toBeGreaterThan(noItem);
    expect(plan.threads).toBe(1);
  });

  test("has room for a tile that is spread, unless it is too large for a cache", () => {
    const spreadOf = (size: number) => {
      const shape: Shape = { lengths: [512, 512], sizes: [size, size] };
      const plan = planOf(shape);
      const more = threadBytes(plan, "spread") - threadBytes(plan, "splat");
      const all = workspaceBytes(problemOf(shape), plan, "spread") - bytesOf(shape);
      expect(all).toBe(more);
      return [plan.tileKeys, more];
    };
    // Keys and columns in groups of up to 6, the last of which may repeat 5; 16 bytes an element, and whole cache lines.
    expect(spreadOf(64)).toEqual([90, 16 * (95 * 64 + 69 * 90) + 32]);
    expect(spreadOf(1024)).toEqual([60, 0]);
  });

  test("copes with nothing to do", () => {
    expect(planOf({ batch: 0, lengths: [5, 5] }).items).toBe(0);
    expect(planOf({ heads: [0, 0], lengths: [5, 5] }).items).toBe(0);
    expect(planOf({ lengths: [0, 5] }).items).toBe(0);
    expect(planOf({ lengths: [5, 0] }).items).toBe(1);
  });

  test("counts all memory that host tensors take", () => {
    const shape: Shape = {
      heads: [2, 1],
      lengths: [3, 5],
      sizes: [7, 11],
      returns: { weights: true },
    };
    const inputs = 4 * (2 * 3 * 7 + 5 * 7 + 5 * 11);
    const outputs = 4 * (2 * 3 * 11 + 2 * 3 * 5);
    expect(totalBytes(problemOf(shape), planOf(shape), "splat")).toBe(
      inputs + outputs + bytesOf(shape),
    );
    const broadcast = [1, 2, 1, 5];
    const mask = tensor(new Uint8Array(10), broadcast, { dtype: "bool" });
    const bias = zeros("float32", broadcast);
    const masked = describeProblem({ ...inputsOf(shape), mask, bias });
    expect(totalBytes(masked, planOf(shape), "splat")).toBe(
      inputs + outputs + bytesOf(shape) + 10 * 1 + 10 * 4,
    );
    const wide = { ...shape, dtype: "float16" } as const;
    expect(totalBytes(problemOf(wide), planOf(wide), "splat")).toBe(
      (inputs + outputs) / 2 + bytesOf(wide),
    );
  });
});
