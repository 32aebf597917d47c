import {
  type AttentionInputs,
  type AttentionProblem,
  attention,
  describeProblem,
  type FloatDType,
  zeros,
} from "@heed/core";
import { expect, test } from "vitest";
import { choose } from "../src/attention/choose.js";
import { gatheredLayout } from "../src/attention/gathered.js";
import { subgroupMatrixBytes } from "../src/attention/kernels/subgroup-matrix.js";
import { tileBytes } from "../src/attention/kernels/tile.js";
import { operandsOf } from "../src/attention/operands.js";
import { schedule } from "../src/attention/schedule/schedule.js";
import { type Capabilities, floor, matricesOf } from "../src/capabilities.js";
import { fold } from "../src/execution/dispatch.js";
import { denseLayouts } from "../src/execution/program.js";

interface Shape {
  readonly batch?: number;
  readonly heads?: readonly [query: number, kv: number];
  readonly lengths: readonly [query: number, key: number];
  readonly sizes?: readonly [head: number, value: number];
  readonly dtype?: FloatDType;
  readonly rules?: Partial<AttentionInputs>;
}

function problemOf({ batch = 1, heads = [32, 8], lengths, sizes = [64, 64], dtype, rules }: Shape) {
  const type = dtype ?? "float32";
  return describeProblem({
    query: zeros(type, [batch, heads[0], lengths[0], sizes[0]]),
    key: zeros(type, [batch, heads[1], lengths[1], sizes[0]]),
    value: zeros(type, [batch, heads[1], lengths[1], sizes[1]]),
    ...rules,
  });
}

const denseOperands = (problem: AttentionProblem) =>
  operandsOf(denseLayouts(attention.operands(problem)));

/** A GPU with what common adapters offer. */
const gpu: Capabilities = {
  ...floor,
  float16: true,
  subgroups: true,
  limits: { ...floor.limits, maxComputeWorkgroupStorageSize: 32_768 },
};
const software: Capabilities = { ...floor, subgroups: true, software: true };
const kernelOf = (shape: Shape, capabilities: Capabilities) =>
  choose(problemOf(shape), capabilities).kernel;

test("prefill gets tiles, decoding a kernel that reads keys once for a group, few keys single rows", () => {
  for (const capabilities of [floor, gpu]) {
    expect(kernelOf({ lengths: [512, 512] }, capabilities)).toBe("tile");
    expect(kernelOf({ lengths: [1, 4096] }, capabilities)).toBe("decode");
    expect(kernelOf({ lengths: [4, 4096] }, capabilities)).toBe("decode");
    expect(kernelOf({ lengths: [5, 4096] }, capabilities)).toBe("tile");
    expect(kernelOf({ lengths: [512, 3] }, capabilities)).toBe("row");
  }
});

test("software adapters get kernels of their own where compiling them pays", () => {
  expect(kernelOf({ lengths: [512, 512] }, software)).toBe("quad");
  expect(kernelOf({ lengths: [1, 4096] }, software)).toBe("stream");
  expect(kernelOf({ lengths: [9, 9], heads: [2, 2] }, software)).toBe("row");
  // Beyond what is kept in private memory.
  expect(kernelOf({ lengths: [512, 512], sizes: [256, 256] }, software)).toBe("tile");
  const mode = (capabilities: Capabilities) => {
    const choice = choose(problemOf({ lengths: [512, 512] }), capabilities);
    return choice.kernel === "quad" ? choice.registers.mode : null;
  };
  expect(mode(software)).toBe("quad");
  expect(mode({ ...software, subgroups: false })).toBe("alone");
});

test("a software adapter that compiles unrolled kernels for minutes gets none", () => {
  const slow = { ...software, slowCompiler: true };
  expect(kernelOf({ lengths: [512, 512] }, slow)).toBe("tile");
  expect(kernelOf({ lengths: [300, 4096] }, slow)).toBe("tile");
  expect(choose(problemOf({ lengths: [512, 512] }), slow, { batchInvariant: true }).kernel).toBe(
    "tile",
  );
  expect(kernelOf({ lengths: [9, 9], heads: [2, 2] }, slow)).toBe("row");
  expect(choose(problemOf({ lengths: [512, 512] }), slow, { kernel: "quad" }).kernel).toBe("quad");
});

test("wide tiles need wide heads and more workgroup memory than every device has", () => {
  const lanes = (sizes: readonly [number, number], capabilities: Capabilities) => {
    const choice = choose(problemOf({ lengths: [512, 512], sizes }), capabilities);
    return choice.kernel === "tile" ? choice.tile.lanes : null;
  };
  expect(lanes([128, 128], gpu)).toBe(16);
  expect(lanes([128, 64], gpu)).toBe(8);
  expect(lanes([128, 128], floor)).toBe(8);
  const few = { ...gpu, limits: { ...gpu.limits, maxComputeInvocationsPerWorkgroup: 64 } };
  expect(lanes([128, 128], few)).toBe(8);
});

test("no choice needs more workgroup memory than there is", () => {
  for (const dtype of ["float32", "float16"] as const) {
    for (const size of [1, 32, 64, 100, 128, 256, 300, 1000]) {
      for (const queries of [1, 100]) {
        const problem = problemOf({ lengths: [queries, 1000], sizes: [size, size], dtype });
        const choice = choose(problem, floor);
        if (choice.kernel === "tile") {
          const { lanes } = choice.tile;
          expect(tileBytes({ lanes, storage: choice.storage })).toBeLessThanOrEqual(16_384);
        }
      }
    }
  }
});

test("float16 is kept where the device has it, and converted elsewhere", () => {
  const half = problemOf({ lengths: [128, 128], dtype: "float16" });
  expect(choose(half, gpu)).toMatchObject({ storage: "f16", convert: false });
  expect(choose(half, floor)).toMatchObject({ storage: "f32", convert: true });
  const bias = zeros("float32", [128]);
  const biased = problemOf({ lengths: [128, 128], dtype: "float16", rules: { bias } });
  expect(choose(biased, gpu)).toMatchObject({ storage: "f16", bias: "f32" });
});

/** A GPU on which somebody has opted into matrices. */
const matrices = { m: 16, n: 8, k: 16 } as const;
const withMatrices: Capabilities = { ...gpu, matrices };

test("matrices of subgroups are for prefill in float16, and only where they are opted into", () => {
  const half = { lengths: [512, 512], dtype: "float16" } as const;
  expect(choose(problemOf(half), withMatrices)).toMatchObject({
    kernel: "subgroup-matrix",
    matrix: { matrices, rows: 64, headDim: 64, columns: 64 },
    storage: "f16",
    rows: 64,
  });
  expect(kernelOf({ ...half, lengths: [1, 512] }, withMatrices)).toBe("decode");
  expect(kernelOf({ ...half, lengths: [512, 3] }, withMatrices)).toBe("row");
  expect(kernelOf({ ...half, dtype: "float32" }, withMatrices)).toBe("tile");
  expect(kernelOf(half, { ...withMatrices, float16: false })).toBe("tile");
  expect(kernelOf(half, gpu)).toBe("tile");
  // A wish for the kernel does not bring the feature.
  expect(choose(problemOf(half), gpu, { kernel: "subgroup-matrix" }).kernel).toBe("tile");
  expect(choose(problemOf(half), withMatrices, { kernel: "tile" }).kernel).toBe("tile");
  expect(
    choose(problemOf({ ...half, lengths: [1, 512] }), withMatrices, {
      kernel: "subgroup-matrix",
    }),
  ).toEqual(expect.objectContaining({ kernel: "subgroup-matrix", rows: 32 }));
});

test("matrices of subgroups get as many rows as workgroup memory has room for", () => {
  const choiceOf = (headDim: number, valueDim: number, bytes: number) => {
    const limits = { ...gpu.limits, maxComputeWorkgroupStorageSize: bytes };
    const problem = problemOf({
      lengths: [512, 512],
      sizes: [headDim, valueDim],
      dtype: "float16",
    });
    const choice = choose(problem, { ...withMatrices, limits });
    if (choice.kernel !== "subgroup-matrix") return choice.kernel;
    expect(subgroupMatrixBytes(choice.matrix)).toBeLessThanOrEqual(bytes);
    const { headDim: padded, columns, rows } = choice.matrix;
    return [rows, padded, columns];
  };
  expect(choiceOf(64, 64, 32_768)).toEqual([64, 64, 64]);
  expect(choiceOf(128, 128, 32_768)).toEqual([32, 128, 128]);
  expect(choiceOf(128, 128, 49_152)).toEqual([64, 128, 128]);
  expect(choiceOf(59, 300, 32_768)).toEqual([64, 64, 128]);
  expect(choiceOf(256, 256, 32_768)).toBe("tile");
  expect(choiceOf(64, 64, 16_384)).toBe("tile");
});

test("of an adapter's matrices, the first that the kernel can use are taken", () => {
  const config = (
    types: readonly [string, string],
    [M, N, K]: readonly [number, number, number],
  ) => ({
    componentType: types[0],
    resultComponentType: types[1],
    M,
    N,
    K,
  });
  const configs = [
    config(["f16", "f16"], [8, 8, 8]),
    config(["f16", "f32"], [64, 8, 8]),
    config(["f16", "f32"], [16, 8, 32]),
    config(["f16", "f32"], [8, 8, 8]),
    config(["u8", "u32"], [8, 8, 8]),
  ];
  expect(matricesOf(configs, 32)).toEqual({ m: 16, n: 8, k: 32 });
  expect(matricesOf(configs.slice(0, 2), 32)).toBe(null);
  expect(matricesOf([], 32)).toBe(null);
  // A workgroup of 128 is whole subgroups of these sizes only.
  for (const size of [4, 8, 64, 128]) expect(matricesOf(configs, size)).not.toBe(null);
  for (const size of [0, 48, 256]) expect(matricesOf(configs, size)).toBe(null);
});

test("keys are split where there would be too few workgroups, and then merged", () => {
  const problem = problemOf({ lengths: [1, 32_768], sizes: [128, 128] });
  const choice = choose(problem, gpu);
  // 8 key heads: 32 parts for 256 workgroups.
  expect(choice).toMatchObject({ kernel: "decode", splits: 32, stack: 4 });
  const made = schedule(problem, choice, denseOperands(problem), gpu);
  expect(made?.steps.map(({ kernel }) => kernel.name)).toEqual([
    "attention-decode-f32-128x128-vectors",
    "attention-merge-f32",
  ]);
  const parts = 32 * 32;
  expect(made?.workspace.get("partials")).toBe(4 * parts * 128);
  expect(made?.workspace.get("partialStatistics")).toBe(8 * parts);
  // Many sequences keep the device busy without.
  expect(choose(problemOf({ batch: 64, lengths: [1, 32_768] }), gpu).splits).toBe(1);
});

test("long work is dispatched in pieces that end before a driver loses patience", () => {
  const problem = problemOf({ heads: [32, 32], lengths: [8192, 8192], sizes: [128, 128] });
  const made = schedule(problem, choose(problem, gpu), denseOperands(problem), gpu);
  const steps = made?.steps ?? [];
  // 1.1e12 operations.
  expect(steps.length).toBeGreaterThan(100);
  for (const { work } of steps) expect(work).toBeLessThanOrEqual(1e10);
  let next = 0;
  for (const { params } of steps) {
    expect(params.firstWorkgroup).toBe(next);
    next = params.workgroups;
  }
  expect(next).toBe(32 * (8192 / 64));
});

test("pieces of long work have about as many workgroups, on software adapters as on GPUs", () => {
  const problem = problemOf({ heads: [4, 4], lengths: [4096, 4096] });
  for (const capabilities of [gpu, software]) {
    const made = schedule(
      problem,
      choose(problem, capabilities, { kernel: "tile" }),
      denseOperands(problem),
      capabilities,
    );
    // 1.7e10 operations.
    expect(made?.steps.map(({ grid }) => grid)).toEqual([
      [128, 1, 1],
      [128, 1, 1],
    ]);
  }
});

test("a grid has no dimension of more than 65,535, and no fewer workgroups than asked for", () => {
  for (const count of [1, 65_535, 65_536, 70_000, 65_535 ** 2, 5e9]) {
    const [x, y, z] = fold(count, 65_535);
    expect(Math.max(x, y, z)).toBeLessThanOrEqual(65_535);
    expect(x * y * z).toBeGreaterThanOrEqual(count);
    expect(x * y * z).toBeLessThan(count + x * y);
  }
});

test("keys in lists get every kernel but matrices, sizes of their sequences and places in one buffer", () => {
  const paged = (
    lengths: readonly number[],
    queries: number,
    kv: "float32" | "float16" | "int8",
  ) => {
    const perSequence = 512;
    const key = zeros(kv, [1024, 8, 16, 64]);
    const scales = zeros("float32", [1024, 8, 16]);
    return describeProblem({
      query: zeros("float32", [lengths.length, 32, queries, 64]),
      key,
      value: key,
      ...(kv === "int8" && { keyScales: scales, valueScales: scales }),
      pageTable: zeros("int32", [lengths.length, perSequence]),
      kvLengths: lengths,
    });
  };
  const decoding = choose(paged([4096, 100], 1, "int8"), gpu);
  expect(decoding).toMatchObject({ kernel: "decode", stack: 4, keys: "i8", gathered: true });
  expect(choose(paged([4096], 512, "float16"), gpu)).toMatchObject({ kernel: "tile", keys: "f16" });
  expect(choose(paged([4096], 512, "float16"), floor)).toMatchObject({ keys: "f16-words" });
  expect(choose(paged([4096], 512, "float32"), withMatrices).kernel).toBe("tile");
  expect(choose(paged([4096], 1, "float32"), software).kernel).toBe("stream");
  const slow = { ...software, slowCompiler: true };
  expect(choose(paged([4096], 1, "float32"), slow).kernel).toBe("tile");
  // Sixteen sequences of one query each have the decode kernel, and there may be none that is longer than
  // four queries but three.
  const starts = Int32Array.from({ length: 17 }, (_, s) => s);
  const ragged = describeProblem({
    query: zeros("float32", [1, 32, 16, 64]),
    key: zeros("float32", [1, 8, 1600, 64]),
    value: zeros("float32", [1, 8, 1600, 64]),
    queryStarts: starts,
    keyStarts: starts.map((s) => 100 * s),
  });
  const choice = choose(ragged, gpu);
  expect(choice).toMatchObject({ kernel: "tile", short: { columns: 64, headDim: 64 } });
  const made = schedule(ragged, choice, denseOperands(ragged), gpu);
  // Items that 64 rows may have at most: of eight rows in 16 sequences, of 64 in three of more than 16 rows.
  const [short, long] = [Math.floor((64 + 16 * 7) / 8), Math.floor((64 + 3 * 63) / 64)];
  expect(made?.steps.map(({ kernel, grid }) => [kernel.name.split("-")[1], grid[0]])).toEqual([
    ["decode", short * 8 * choice.splits],
    ["tile", long * 8 * choice.splits],
    ...(choice.splits > 1 ? [["merge", expect.any(Number)]] : []),
  ]);
  const layout = gatheredLayout(ragged, choice);
  const first = 3 * 16 + 32;
  expect(layout.lists).toMatchObject([
    { rows: 8, at: first, items: short, most: 16 },
    { rows: 64, at: first + 2 * short, items: long, least: 17 },
  ]);
  expect(layout.bytes).toBe(16 * (first + 2 * (short + long)));
});

test("scales and mask share a buffer where the device binds no more than eight", () => {
  const stored = zeros("int8", [1, 8, 100, 64]);
  const scales = zeros("float32", [1, 8, 100]);
  const call = {
    query: zeros("float32", [1, 8, 100, 64]),
    key: stored,
    value: stored,
    keyScales: scales,
    valueScales: scales,
  };
  const masked = describeProblem({
    ...call,
    mask: zeros("bool", [100]),
    bias: zeros("float32", [100]),
  });
  const many = { ...floor, limits: { ...floor.limits, maxStorageBuffersPerShaderStage: 10 } };
  expect(choose(describeProblem(call), floor).joined).toBe(false);
  expect(choose(masked, many).joined).toBe(false);
  const choice = choose(masked, floor);
  expect(choice.joined).toBe(true);
  const made = schedule(masked, choice, denseOperands(masked), floor);
  expect(made?.steps.map(({ kernel }) => kernel.name.split("-", 2).join("-"))).toEqual([
    ...Array(3).fill("convert-copy"),
    "attention-tile",
  ]);
  for (const { kernel } of made?.steps ?? []) {
    expect(kernel.bindings.length).toBeLessThanOrEqual(8);
  }
});
