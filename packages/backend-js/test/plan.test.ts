import { type AttentionInputs, describeProblem, type FloatDType, tensor, zeros } from "@heed/core";
import { describe, expect, test } from "vitest";
import {
  describePlan,
  type JsPlan,
  planProblem,
  workspaceRefusals,
} from "../src/attention/plan.js";

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
