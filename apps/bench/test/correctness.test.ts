import {
  type AttentionInputs,
  cast,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { expect, test } from "vitest";
import type { Verdict } from "../src/measure/judge.js";
import { attention } from "../src/operations/attention/operation.js";
import { customWorkload } from "../src/workloads/generated.js";
import { parseShape } from "../src/workloads/shape.js";

async function call(
  shape: string,
  dtype: "float32" | "float16" | "float64" = "float32",
): Promise<AttentionInputs<HostTensor>> {
  return customWorkload(parseShape(shape)).load(dtype);
}

/** A judge of the output alone. */
function prepareJudge(inputs: AttentionInputs<HostTensor>): (output: HostTensor) => Verdict {
  const judge = attention.prepareJudge(inputs);
  return (output) => judge({ output });
}

function changed(output: HostTensor, change: (values: Float64Array) => void): HostTensor {
  const values = toFloat64(output);
  change(values);
  return cast(tensor(values, output.shape), output.dtype);
}

test.each(["float32", "float16", "float64"] as const)(
  "%s: the truth, rounded, passes",
  async (dtype) => {
    for (const shape of [
      "B2,Hq4,Hkv2,Lq5,Lk9,D8,causal",
      "H2,L30,D8,window4",
      "H2,L9,D8,softcap5",
    ]) {
      const inputs = await call(shape, dtype);
      const verdict = prepareJudge(inputs)(cast(referenceAttention(inputs).output, dtype));
      expect(verdict.wrong).toBeNull();
      expect(verdict.errorInBudgets).toBeLessThanOrEqual(1);
    }
  },
);

test.each([
  ["as a whole", 100],
  ["by its rows", 700],
])("judged %s, a small error in the last row is seen and found", async (_, length) => {
  const inputs = await call(`H3,L${length},D8`);
  const output = cast(referenceAttention(inputs).output, "float32");
  const judge = prepareJudge(inputs);
  expect(judge(output).wrong).toBeNull();
  const off = changed(output, (values) => {
    values[values.length - 3] = (values.at(-3) as number) + 1e-4;
  });
  const verdict = judge(off);
  expect(verdict.errorInBudgets).toBeGreaterThan(1);
  expect(verdict.wrong).toContain(`at [0, 2, ${length - 1}, 5]`);
});

test("what is not a number, or has another shape or dtype, is wrong", async () => {
  const inputs = await call("H2,L4,D8");
  const judge = prepareJudge(inputs);
  const { output } = referenceAttention(inputs);
  const nan = changed(cast(output, "float32"), (values) => values.fill(Number.NaN));
  const saying = (part: string) => ({ errorInBudgets: null, wrong: expect.stringContaining(part) });
  expect(judge(nan)).toEqual(saying("NaN"));
  expect(judge(tensor(output.data, [2, 4, 8]))).toEqual(saying("shape is [2, 4, 8]"));
  expect(judge(output)).toEqual(saying("float64 instead of float32"));
});

test("rows that see nothing are zero exactly", async () => {
  const inputs = { ...(await call("B2,H2,L4,D8")), kvLengths: [4, 0] };
  const judge = prepareJudge(inputs);
  const output = cast(referenceAttention(inputs).output, "float32");
  expect(judge(output)).toEqual({ errorInBudgets: expect.any(Number), wrong: null });
  const leak = changed(output, (values) => {
    values[values.length - 1] = 1e-30;
  });
  expect(judge(leak).wrong).toContain("sees no key");
});
