import { js } from "@heed/backend-js";
import {
  type AnyOperation,
  type AttentionInputs,
  describeProblem,
  type FloatDType,
  projection,
  rmsNorm,
  rotary,
  scatter,
  tensor,
  zeros,
} from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  describePlan,
  type JsPlan,
  planProblem,
  workspaceRefusals,
} from "../src/attention/plan.js";

afterEach(() => vi.unstubAllGlobals());

interface Shape {
  readonly heads?: readonly [number, number];
  readonly lengths: readonly [number, number];
  readonly sizes?: readonly [number, number];
  readonly dtype?: FloatDType;
  readonly returns?: AttentionInputs["returns"];
}

function problemOf({ heads = [1, 1], lengths, sizes = [64, 64], dtype, returns }: Shape) {
  const type = dtype ?? "float32";
  return describeProblem({
    query: zeros(type, [1, heads[0], lengths[0], sizes[0]]),
    key: zeros(type, [1, heads[1], lengths[1], sizes[0]]),
    value: zeros(type, [1, heads[1], lengths[1], sizes[1]]),
    returns,
  });
}

const planOf = (shape: Shape): JsPlan => planProblem(problemOf(shape));
const bytesOf = (shape: Shape): number =>
  describePlan(problemOf(shape), planOf(shape)).workspaceBytes;

describe("planProblem", () => {
  test("streams few rows of a group, and packs panels for more", () => {
    expect(planOf({ lengths: [1, 2048] }).kernel).toBe("stream");
    expect(planOf({ heads: [8, 1], lengths: [1, 2048] }).kernel).toBe("stream");
    expect(planOf({ heads: [9, 1], lengths: [1, 2048] }).kernel).toBe("tiled");
    expect(planOf({ lengths: [1, 2048], dtype: "float16" }).kernel).toBe("stream");
    // Values in place are float32.
    expect(planOf({ lengths: [1, 2048], dtype: "float64" }).kernel).toBe("tiled");
  });

  test("makes tiles of whole panels, as even as the length allows", () => {
    for (const length of [1, 2, 3, 7, 66, 67, 197, 256, 257, 1000, 4096]) {
      const { grid, keys, valueStride } = planOf({ lengths: [length, length], sizes: [15, 59] });
      const { rows } = grid;
      expect([rows % 3, keys % 3, valueStride]).toEqual([0, 0, 60]);
      expect(rows).toBeLessThanOrEqual(258);
      expect(keys).toBeLessThanOrEqual(66);
      const { blocks } = grid;
      expect(blocks).toBe(Math.max(1, Math.ceil(length / 256)));
      expect(rows * blocks - length).toBeLessThan(3 * blocks);
    }
  });

  test("needs no memory that grows with Lq × Lk, nor with either once tiles are full", () => {
    const at = (length: number) => bytesOf({ lengths: [length, length] });
    expect(at(32_768)).toBe(at(4096));
    expect(bytesOf({ lengths: [1, 65_536] })).toBe(bytesOf({ lengths: [1, 1056] }));
  });

  test("says its kernel, its tiles and every byte of its workspace", () => {
    const shape = { lengths: [7, 10], sizes: [8, 6] } as const;
    // Nine rows, twelve keys and eight columns, rounded up to whole panels.
    const tiled = 8 * (9 * 8 + 12 * 8 + 12 * 8 + 9 * 12 + 12 + 9 * 8) + 9 * (3 * 4 + 2 * 8);
    expect(
      describePlan(
        problemOf({ ...shape, dtype: "float64" }),
        planOf({ ...shape, dtype: "float64" }),
      ),
    ).toEqual({
      ...{ kernel: "attention-tiled", tiles: { queries: 9, keys: 12 }, dispatches: 1 },
      workspaceBytes: tiled,
    });
    const streamed =
      8 * (9 * 8 + 9 * 12 + 12 + 9 * 8) + 4 * (12 * 8 + 12 * 8) + 9 * (3 * 4 + 2 * 8);
    expect(describePlan(problemOf(shape), planOf(shape))).toEqual({
      ...{ kernel: "attention-stream", tiles: { queries: 9, keys: 12 }, dispatches: 1 },
      workspaceBytes: streamed,
    });
  });

  test("has tiles of whole blocks of a block mask, and no more rows than there are", () => {
    const tilesOf = (
      lengths: readonly [number, number],
      blocks: readonly [number, number],
      group = 1,
    ) => {
      const [queryBlock, keyBlock] = blocks;
      const shape = [1, 1, Math.ceil(lengths[0] / queryBlock), Math.ceil(lengths[1] / keyBlock)];
      const problem = describeProblem({
        query: zeros("float32", [1, group, lengths[0], 4]),
        key: zeros("float32", [1, 1, lengths[1], 4]),
        value: zeros("float32", [1, 1, lengths[1], 4]),
        blockMask: { mask: zeros("bool", shape), queryBlock, keyBlock },
      });
      const { grid, keys } = planProblem(problem);
      return [grid.rows, keys];
    };
    // As many blocks as reach 48 rows and fit into 66 keys.
    expect(tilesOf([100, 100], [16, 16])).toEqual([48, 64]);
    expect(tilesOf([100, 100], [20, 30])).toEqual([40, 60]);
    expect(tilesOf([100, 100], [64, 66])).toEqual([64, 66]);
    // Parts of a block that is larger than a tile.
    expect(tilesOf([1000, 1000], [300, 100])).toEqual([150, 50]);
    // A block that is longer than the call.
    expect(tilesOf([10, 20], [128, 128])).toEqual([40, 60]);
    expect(tilesOf([10, 20], [128, 128], 4)).toEqual([40, 60]);
    expect(tilesOf([100, 100], [16, 16], 4)).toEqual([64, 64]);
    expect(tilesOf([100, 100], [100, 100], 4)).toEqual([200, 50]);
  });

  test("has tiles that end with pages, as many as fit, or with a page that is larger", () => {
    const stepOf = (size: number, rules: Partial<AttentionInputs> = {}) => {
      const problem = describeProblem({
        query: zeros("float32", [1, 1, 9, 4]),
        key: zeros("float32", [40, 1, size, 4]),
        value: zeros("float32", [40, 1, size, 4]),
        pageTable: zeros("int32", [1, 40]),
        kvLengths: [0],
        ...rules,
      } as AttentionInputs);
      return planProblem(problem).tileStep;
    };
    expect([stepOf(1), stepOf(16), stepOf(32), stepOf(50), stepOf(100)]).toEqual([
      ...[42, 64, 64, 50, 100],
    ]);
    expect(stepOf(0)).toBe(0);
    const blocks = { mask: zeros("bool", [1, 1, 1, 20]), queryBlock: 16, keyBlock: 32 };
    expect(stepOf(16, { blockMask: blocks })).toBe(0);
    expect(planOf({ lengths: [9, 640] }).tileStep).toBe(0);
  });

  test("multiplies rows from arrays of their own in SpiderMonkey alone, many rows of sizes that are not long", () => {
    const many = { lengths: [96, 66], sizes: [512, 512] } as const;
    expect(planOf(many).multipliesRows).toBe(false);
    // Only this engine has it.
    vi.stubGlobal("InternalError", class {});
    expect(planOf(many).multipliesRows).toBe(true);
    const others: readonly Shape[] = [
      { lengths: [93, 66], sizes: [64, 64] },
      { lengths: [96, 66], sizes: [513, 64] },
      { lengths: [96, 66], sizes: [64, 513] },
      { lengths: [8, 66], sizes: [64, 64] },
    ];
    for (const shape of others) expect(planOf(shape).multipliesRows).toBe(false);
    const bytes = bytesOf(many);
    vi.unstubAllGlobals();
    expect(bytes - bytesOf(many)).toBe(8 * ((3 + 66) * 512 + (3 + 512) * 66));
  });

  test("needs a block's logits where weights are wanted", () => {
    const plain = bytesOf({ lengths: [3, 1000] });
    const withWeights = bytesOf({ lengths: [3, 1000], returns: { weights: true } });
    expect(withWeights - plain).toBe(3 * 1000 * 8);
  });

  test("refuses what no array can hold, with a reason", () => {
    const size = 440_000;
    const wide = describeProblem({
      query: tensor(new Float32Array(1), [1, 1, 256, size], { strides: [0, 0, 0, 0] }),
      key: tensor(new Float32Array(1), [1, 1, 66, size], { strides: [0, 0, 0, 0] }),
      value: tensor(new Float32Array(1), [1, 1, 66, 1], { strides: [0, 0, 0, 0] }),
    });
    expect(workspaceRefusals(wide, planProblem(wide))).toMatchObject([{ code: "memory" }]);
    const usual = problemOf({ lengths: [4096, 4096], sizes: [256, 256] });
    expect(workspaceRefusals(usual, planProblem(usual))).toEqual([]);
  });
});

test("plans of the other operations say their kernels and what they need", async () => {
  const backend = await js().load();
  const f32 = (...shape: number[]) => zeros("float32", shape);
  const input = f32(2, 3, 5, 8);
  const described = async (operation: AnyOperation, inputs: object) =>
    (await backend.plan(operation.describe(inputs) as never)).description;
  const table = { cos: f32(4, 4), sin: f32(4, 4), positions: new Int32Array(5) };
  expect(await described(rotary, { input, ...table })).toEqual({
    ...{ kernel: "rotary-halves", tiles: {}, dispatches: 1 },
    // Cosines and sines of the table's four positions, or of the ten tokens if these are fewer.
    workspaceBytes: 8 * 8 * 4,
  });
  const long = { cos: f32(40, 3), sin: f32(40, 3), positions: new Int32Array(5) };
  expect(await described(rotary, { input, ...long, rotaryDim: 6, interleaved: true })).toEqual({
    ...{ kernel: "rotary-interleaved", tiles: {}, dispatches: 1, workspaceBytes: 8 * 6 * 10 },
  });
  expect(await described(projection, { input: f32(1, 5, 7), weight: f32(3, 7) })).toEqual({
    ...{ kernel: "projection-blocks-2x4", tiles: { queries: 2, columns: 4 }, dispatches: 1 },
    workspaceBytes: 8 * 6 * 7,
  });
  const slots = new Int32Array(2).fill(-1);
  for (const dtype of ["float32", "float16", "int8"] as const) {
    const target = zeros(dtype, [1, 1, 4, 8]);
    const scales = dtype === "int8" ? { scales: f32(1, 1, 4) } : {};
    const call = { target, source: f32(1, 1, 2, 8), slots, ...scales };
    expect(await described(scatter, call)).toEqual({
      ...{
        kernel: `scatter-rows-${dtype}`,
        tiles: {},
        dispatches: 1,
        workspaceBytes: dtype === "int8" ? 64 : 0,
      },
    });
  }
  expect(await described(rmsNorm, { input: f32(2, 7), weight: f32(7) })).toEqual({
    ...{ kernel: "rms-norm-rows", tiles: {}, dispatches: 1, workspaceBytes: 8 * (7 + 7) },
  });
  backend.dispose();
});
