import { type HostTensor, InvalidInputError, merge, zeros } from "@heed/core";
import { describe, expect, test } from "vitest";

const part = (shape: readonly number[], dtype: "float32" | "float16" | "bool" = "float32") => ({
  output: zeros(dtype, shape),
  logSumExp: zeros("float32", shape.slice(0, -1)),
});
const call = (...parts: { output: HostTensor; logSumExp: HostTensor }[]) => ({ parts }) as never;

describe("the operation merge", () => {
  test("tells problems apart by shape, in whatever axis, by parts and by dtypes", () => {
    const two = (shape: readonly number[], dtype?: "float16") =>
      merge.describe(call(part(shape, dtype), part(shape, dtype)));
    const problems = [
      two([2, 3, 4]),
      two([3, 2, 4]),
      two([2, 3, 5]),
      two([6, 4]),
      two([2, 3, 1, 4]),
      two([2, 3, 4], "float16"),
      merge.describe(call(part([2, 3, 4]))),
    ];
    expect(new Set(problems).size).toBe(problems.length);
    expect(new Set(problems.map(({ key }) => key)).size).toBe(problems.length);
    expect(two([2, 3, 4])).toBe(problems[0]);
    expect(problems[0]).toMatchObject({ parts: 2, shape: [2, 3], rows: 6, valueDim: 4 });
  });

  test.each<[argument: string, expected: RegExp, parts: { output: unknown; logSumExp: unknown }[]]>(
    [
      ["parts[0].output", /from 1 to 9 axes/, [{ ...part([2]), output: zeros("float32", []) }]],
      ["parts[0].output", /from 1 to 9 axes/, [part([1, 1, 1, 1, 1, 1, 1, 1, 1, 2])]],
      ["parts[1].output", /shape \[2, 3\]/, [part([2, 3]), part([2, 4])]],
      ["parts[0].output", /float64, float32 or float16/, [part([2, 3], "bool")]],
      ["parts[1].output", /dtype float32/, [part([2, 3]), part([2, 3], "float16")]],
      [
        "parts[0].logSumExp",
        /float64, float32 or float16/,
        [{ ...part([2, 3]), logSumExp: zeros("bool", [2]) }],
      ],
      [
        "parts[1].logSumExp",
        /dtype float32/,
        [part([2, 3]), { ...part([2, 3]), logSumExp: zeros("float64", [2]) }],
      ],
      [
        "parts[0].logSumExp",
        /last axis, \[2\]/,
        [{ ...part([2, 3]), logSumExp: zeros("float32", [3]) }],
      ],
    ],
  )("refuses %s: %s", (argument, expected, parts) => {
    const describing = () => merge.describe({ parts } as never);
    expect(describing).toThrow(InvalidInputError);
    expect(describing).toThrow(expect.objectContaining({ argument }));
    expect(describing).toThrow(expected);
  });

  test("takes from 1 to 9 axes", () => {
    expect(merge.describe(call(part([3]))).rows).toBe(1);
    expect(merge.describe(call(part([1, 2, 1, 1, 1, 1, 1, 3, 2]))).rows).toBe(6);
  });

  test("binds parts in the order of its operands, and refuses others", () => {
    const inputs = call(part([2, 3]), part([2, 3]));
    const problem = merge.describe(inputs);
    const bound = merge.bind(problem, inputs);
    const operands = merge.operands(problem);
    const reads = operands.filter(({ access }) => access === "read");
    expect(reads.map(({ name }) => name)).toEqual([
      "parts[0].output",
      "parts[0].logSumExp",
      "parts[1].output",
      "parts[1].logSumExp",
    ]);
    expect(bound.reads.map(({ shape, dtype }) => [shape, dtype])).toEqual(
      reads.map(({ shape, dtype }) => [shape, dtype]),
    );
    expect(merge.describe(bound.inputs)).toBe(problem);
    expect(() => merge.bind(problem, call(part([2, 3])))).toThrow(
      expect.objectContaining({ argument: "parts[1].output" }),
    );
    expect(() => merge.bind({ ...problem, operation: "rotary" } as never, inputs)).toThrow(
      expect.objectContaining({ argument: "problem" }),
    );
  });

  test("counts a multiply-add a value, and each element once", () => {
    const inputs = call(part([2, 3, 5], "float16"), part([2, 3, 5], "float16"));
    const { flops, bytes } = merge.work(merge.bind(merge.describe(inputs), inputs));
    expect(flops).toBe(2 * 2 * 6 * 5);
    // Two parts and the result, each with six rows of five float16 and one float32.
    expect(bytes).toBe(3 * 6 * (5 * 2 + 4));
  });
});
