/** Any byte of a bool tensor but 0 is true. */
import { onnx } from "@heed/backend-onnx";
import {
  type AttentionBackend,
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  tensor,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { zeroOrOne } from "../src/runtime/booleans.js";

const shapes = [
  [4],
  [3, 4],
  [3, 1],
  [1, 4, 1, 4],
  [2, 4, 3, 4],
  [2, 1, 1, 4],
  [2, 1, 3, 4],
  [1, 4, 3, 4],
  [2, 4, 1, 1],
];

const rules: readonly [string, Partial<AttentionInputs>][] = [
  ["nothing else", {}],
  ["causal", { causal: true, queryOffset: 1 }],
  ["a window", { window: { left: 1, right: 1 }, queryOffset: 0 }],
  ["kvLengths", { kvLengths: [3, 4] }],
  ["weights", { returns: { weights: true } }],
  ["the log-sum-exp and causal", { causal: true, queryOffset: 0, returns: { logSumExp: true } }],
  ["a bias", { bias: tensor(new Float32Array(4).fill(0.5), [4]) }],
];

describe.each(["cpu", "wasm"] as const)("%s", (provider) => {
  let backend: AttentionBackend;
  beforeAll(async () => {
    backend = await onnx({ provider, threads: 1 }).load();
  });
  afterAll(() => backend.dispose());

  async function run(inputs: AttentionInputs): Promise<number[]> {
    const plan = await backend.plan(describeProblem(inputs));
    const { output } = await plan.run(inputs);
    plan.dispose();
    return Array.from((output as HostTensor).data);
  }

  test("bytes of 2 are true", async () => {
    const column = (...values: number[]) => tensor(values, [1, 1, values.length, 1]);
    const mask = tensor(Uint8Array.of(2, 2), [2], { dtype: "bool" });
    const inputs = { query: column(1), key: column(0, 0), value: column(10, 20), mask };
    expect(await run({ ...inputs, causal: true, queryOffset: 0 })).toEqual([10]);
  });

  test.each(rules)("masks of any shape and byte, with %s", async (_, more) => {
    const fill = (...shape: number[]) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (__, i) =>
        Math.sin(7 * i + shape.length),
      );
      return tensor(data, shape);
    };
    const inputs = { query: fill(2, 4, 3, 2), key: fill(2, 2, 4, 2), value: fill(2, 2, 4, 2) };
    for (const shape of shapes) {
      const bits = Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (__, i) =>
        (i * 2654435761) % 7 < 4 ? 1 : 0,
      );
      const expected = await run({
        ...inputs,
        ...more,
        mask: tensor(bits, shape, { dtype: "bool" }),
      });
      for (const byte of [2, 4, 128, 255]) {
        // At an odd offset, since words are looked at.
        const bytes = new Uint8Array(bits.length + 3);
        bytes.set(bits, 3);
        for (const [i, bit] of bits.entries()) bytes[3 + i] = bit && (i % 2 ? byte : 1);
        const before = bytes.slice();
        const mask = tensor(bytes.subarray(3), shape, { dtype: "bool" });
        expect(await run({ ...inputs, ...more, mask })).toEqual(expected);
        expect(bytes).toEqual(before);
      }
    }
  });
});

test("only masks with other bytes are copied", () => {
  for (let length = 0; length <= 11; length++) {
    for (let start = 0; start < 4; start++) {
      const bytes = new Uint8Array(start + length);
      const t = tensor(bytes.subarray(start).fill(1), [length], { dtype: "bool" });
      expect(zeroOrOne(t)).toBe(t);
      for (let at = 0; at < length; at++) {
        bytes[start + at] = 2;
        expect(Array.from(zeroOrOne(t).data)).toEqual(new Array(length).fill(1));
        bytes[start + at] = 0;
        expect(Array.from(zeroOrOne(t).data)).toEqual(Array.from(t.data));
        bytes[start + at] = 1;
      }
    }
  }
});
