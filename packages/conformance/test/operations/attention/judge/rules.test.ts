import { naiveAttention } from "@heed/conformance";
import { type AttentionInputs, fromFloat64, type HostTensor, tensor, transpose } from "@heed/core";
import { describe, expect, test } from "vitest";
import { ieee754 } from "../../../../src/judge/arithmetic.js";
import { formViolation } from "../../../../src/judge/form.js";
import type { OutputName } from "../../../../src/judge/verdict.js";
import {
  hullAllowance,
  sumAllowance,
} from "../../../../src/operations/attention/judge/allowance.js";
import { ruleViolations } from "../../../../src/operations/attention/judge/rules.js";

/** Two queries, of which the first sees keys 0 and 1 of three, and the second none. */
const inputs: AttentionInputs<HostTensor> = {
  query: fromFloat64(new Float64Array(2), [1, 1, 2, 1], "float32"),
  key: fromFloat64(new Float64Array(3), [1, 1, 3, 1], "float32"),
  value: fromFloat64(Float64Array.of(-2, 4, 100), [1, 1, 3, 1], "float32"),
  mask: tensor(Uint8Array.of(1, 1, 0, 0, 0, 0), [2, 3], { dtype: "bool" }),
  returns: { weights: true, logSumExp: true },
};

function broken(name: OutputName, got: readonly number[], call = inputs): string[] {
  const values = Float64Array.from(got);
  return ruleViolations(name, values, "float32", naiveAttention(call), call, ieee754);
}

const withSink = { ...inputs, sinks: [0] };

describe("an output", () => {
  const more = hullAllowance(0, naiveAttention(inputs), "float32", ieee754);

  test("lies between the values that its row sees, and is 0 where it sees none", () => {
    for (const x of [-2, 1, 4, 4 + more, -2 - more]) expect(broken("output", [x, 0])).toEqual([]);
  });

  test.each([4 + 2 * more, -2 - 2 * more, 100, Infinity])("of %d is outside", (x) => {
    expect(broken("output", [x, 0])).toEqual([
      `output of row 0 is not between the values that it sees: ${x} in column 0, where they are from -2 to 4`,
    ]);
  });

  test("beside a sink may be 0, as if that had a value", () => {
    const positive = {
      ...withSink,
      value: fromFloat64(Float64Array.of(3, 4, 100), [1, 1, 3, 1], "float32"),
    };
    expect(broken("output", [0, 0], positive)).toEqual([]);
    expect(broken("output", [0, 0], { ...positive, sinks: undefined })).toHaveLength(1);
  });

  test("is NaN nowhere, and exactly 0 in a row without keys", () => {
    expect(broken("output", [Number.NaN, 0])).toEqual(["output has NaN, first at flat index 0"]);
    expect(broken("output", [1, 1e-45])).toEqual(["output is not 0 in row 1, which sees no key"]);
  });

  test("may overflow where a sum in the dtype does", () => {
    const huge = {
      ...inputs,
      value: fromFloat64(new Float64Array(3).fill(3.4e38), [1, 1, 3, 1], "float32"),
    };
    expect(Number.isFinite(naiveAttention(huge).output[0])).toBe(true);
    expect(broken("output", [Infinity, 0], huge)).toHaveLength(1);
  });
});

describe("a log-sum-exp", () => {
  test("is −∞ in a row without keys, unless there is a sink", () => {
    expect(broken("logSumExp", [0.7, -Infinity])).toEqual([]);
    expect(broken("logSumExp", [0.7, -1e38])).toEqual([
      "logSumExp is not −∞ in row 1, which sees no key",
    ]);
    expect(broken("logSumExp", [0.7, 0], withSink)).toEqual([]);
  });
});

describe("weights", () => {
  const more = sumAllowance(naiveAttention(inputs)) + 3 * 2 ** -149;

  test("sum to 1, or to what rounding explains", () => {
    for (const x of [0.5, 0.5 + 0.99 * more, 0.5 - 0.99 * more]) {
      expect(broken("weights", [x, 0.5, 0, 0, 0, 0])).toEqual([]);
    }
    for (const x of [0.5 + 1.01 * more, 0.5 - 1.01 * more]) {
      expect(broken("weights", [x, 0.5, 0, 0, 0, 0])).toEqual([
        `weights of row 0 sum to ${x + 0.5}`,
      ]);
    }
  });

  test("sum to less beside a sink, but not to more", () => {
    expect(broken("weights", [0.3, 0.3, 0, 0, 0, 0], withSink)).toEqual([]);
    expect(broken("weights", [0.7, 0.4, 0, 0, 0, 0], withSink)).toHaveLength(1);
  });

  test("are exactly 0 at hidden keys, and nowhere negative", () => {
    expect(broken("weights", [0.5, 0.5, 1e-45, 0, 0, 0])).toEqual([
      "weights is not 0 at hidden key 2 of row 0",
    ]);
    expect(broken("weights", [1.25, -0.25, -0, 0, 0, 0])).toEqual([
      "weights of row 0 are negative at key 1",
    ]);
  });
});

describe("the form of an output", () => {
  const t = tensor(new Float32Array(6), [2, 3]);

  test.each([
    [undefined, "output is missing"],
    [tensor(new Float32Array(6), [3, 2]), "output has shape [3, 2] instead of [2, 3]"],
    [tensor(new Float32Array(6), [1, 2, 3]), "output has shape [1, 2, 3] instead of [2, 3]"],
    [tensor(new Float64Array(6), [2, 3]), "output is float64 instead of float32"],
    [transpose(tensor(new Float32Array(6), [3, 2]), [1, 0]), "output is not row-major"],
    [t, null],
  ])("%#", (got, wrong) => {
    expect(formViolation("output", got, [2, 3], "float32")).toBe(wrong);
  });
});
