import {
  createAttention,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  merge,
  mergePartials,
  reference,
  referenceAttention,
  slice,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const filled = (shape: readonly number[], seed: number): HostTensor =>
  fromFloat64(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.3 + seed)),
    shape,
    "float64",
  );

describe("merge", () => {
  const query = filled([2, 2, 3, 4], 1);
  const key = filled([2, 1, 7, 4], 2);
  const value = filled([2, 1, 7, 5], 3);
  const returns = { logSumExp: true } as const;
  const over = (start: number, end: number) => {
    const part = { key: slice(key, 2, start, end), value: slice(value, 2, start, end) };
    const { output, logSumExp } = referenceAttention({ query, ...part, returns });
    return { output, logSumExp: logSumExp as HostTensor };
  };

  test("as an operation gives attention over all keys, under the choice of an attention", async () => {
    const whole = referenceAttention({ query, key, value, returns });
    const parts = [over(0, 2), over(2, 2), over(2, 3), over(3, 7)];
    const heed = await createAttention({ backends: [reference()] });
    const got = await heed.apply(merge, { parts });
    expect(got.backend).toBe("reference");
    for (const name of ["output", "logSumExp"] as const) {
      const expected = toFloat64(whole[name] as HostTensor);
      for (const [i, x] of toFloat64(got[name] as HostTensor).entries()) {
        expect(x).toBeCloseTo(expected[i] as number, 12);
      }
    }
    expect(mergePartials(parts).output).toEqual(got.output);
    await heed.dispose();
  });

  test("the largest log-sum-exp may be any part's", () => {
    const parts = [700, 800, 900].map((lse) => ({
      output: tensor(Float64Array.of(lse), [1, 1]),
      logSumExp: tensor(Float64Array.of(lse), [1]),
    }));
    const { output, logSumExp } = mergePartials(parts);
    expect([...toFloat64(output), ...toFloat64(logSumExp)]).toEqual([900, 900]);
  });

  test("takes the results of an attention as they are", async () => {
    const heed = await createAttention({ backends: [reference()] });
    const [first, second] = await Promise.all(
      [
        [0, 3],
        [3, 7],
      ].map(([start = 0, end = 0]) => {
        const part = { key: slice(key, 2, start, end), value: slice(value, 2, start, end) };
        return heed.run({ query, ...part, returns: { logSumExp: true } });
      }),
    );
    const parts = [first, second] as Parameters<typeof mergePartials>[0];
    const whole = referenceAttention({ query, key, value, returns });
    const got = await heed.apply(merge, { parts });
    for (const [i, x] of toFloat64(got.output as HostTensor).entries()) {
      expect(x).toBeCloseTo(toFloat64(whole.output)[i] as number, 12);
    }
    expect(mergePartials(parts).output).toEqual(got.output);
    await heed.dispose();
  });

  test("equal calls have the same problem", () => {
    const parts = [over(0, 2), over(2, 7)];
    expect(merge.describe({ parts })).toBe(merge.describe({ parts: [...parts] }));
    expect(merge.describe({ parts })).not.toBe(merge.describe({ parts: parts.slice(1) }));
    expect(merge.describe({ parts })).toMatchObject({ rows: 12, valueDim: 5, parts: 2 });
  });

  test.each<[string, unknown, string]>([
    ["no parts", { parts: [] }, "parts"],
    ["an unknown name", { parts: [over(0, 2)], part: 1 }, "inputs.part"],
    ["a part without log-sum-exp", { parts: [{ output: query }] }, "parts[0].logSumExp"],
    ["a part that is null", { parts: [over(0, 2), null] }, "parts[1]"],
    [
      "parts of two shapes",
      { parts: [over(0, 2), { output: query, logSumExp: query }] },
      "parts[1].output",
    ],
  ])("refuses %s, naming the argument", (_, inputs, argument) => {
    expect(() => merge.describe(inputs as never)).toThrow(InvalidInputError);
    expect(() => merge.describe(inputs as never)).toThrow(expect.objectContaining({ argument }));
  });
});
