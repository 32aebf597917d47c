import {
  type AttentionInputs,
  cast,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import {
  add,
  astype,
  createBlockMask,
  equal,
  lessEqual,
  maskMod,
  multiply,
  or,
  scoreMod,
  table,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { Random } from "../../../../src/calls/random.js";
import { passes } from "../../../../src/judge/verdict.js";
import { judgeRows, type Row } from "../../../../src/operations/attention/judge/sample.js";

const random = new Random("sample");
const make = (...sizes: number[]) => random.tensor(sizes, "float32");
const rows: readonly Row[] = [
  [0, 0, 0],
  [0, 2, 3],
  [0, 3, 6],
];

/** Changes that have to show in a row's verdict: each output is moved by a hundredth. */
function moved(t: HostTensor, at: number): HostTensor {
  const values = toFloat64(t);
  values[at] = (values[at] as number) + 0.01;
  return cast(tensor(values, t.shape), t.dtype);
}

function check(inputs: AttentionInputs<HostTensor>, chosen: readonly Row[]): void {
  const output = cast(referenceAttention(inputs).output, "float32");
  const verdict = judgeRows(inputs, { output }, chosen);
  expect(verdict.violations).toEqual([]);
  expect(passes(verdict)).toBe(true);
  const [, heads = 0, length = 0, size = 0] = output.shape;
  for (const [b, h, i] of chosen) {
    const at = ((b * heads + h) * length + i) * size;
    expect(passes(judgeRows(inputs, { output: moved(output, at) }, [[b, h, i]]))).toBe(false);
  }
}

test("rows of programs that look at batch, head and index", () => {
  const shifts = table(tensor(Int32Array.of(0, 2, 4, 1), [1, 4]));
  const mask = maskMod(({ batch, head, query, key, queryIndex }) =>
    or(lessEqual(key, add(query, shifts.at(batch, head))), equal(queryIndex, 3)),
  );
  const score = scoreMod(({ score, batch, head, queryIndex, keyIndex }) =>
    add(score, multiply(0.1, astype(add(add(batch, head), add(queryIndex, keyIndex)), "float32"))),
  );
  const inputs = {
    query: make(2, 4, 7, 8),
    key: make(2, 2, 9, 8),
    value: make(2, 2, 9, 8),
    queryOffset: 1,
    scoreMod: score,
  };
  const chosen: readonly Row[] = [...rows, [1, 1, 3], [1, 3, 6]];
  check({ ...inputs, maskMod: mask }, chosen);
  const blocks = { batch: 2, heads: 4, queryLength: 7, keyLength: 9, queryOffset: 1 };
  const blockMask = createBlockMask(mask, { ...blocks, queryBlock: 2, keyBlock: 4 });
  check({ ...inputs, maskMod: mask, blockMask }, chosen);
  // As data, without the program: whole blocks are hidden.
  const data = { mask: blockMask.mask, queryBlock: 2, keyBlock: 4 };
  check({ ...inputs, blockMask: data }, chosen);
});

test("rows of a ragged batch, with sequences of no queries", () => {
  const inputs = {
    query: make(1, 4, 7, 8),
    key: make(1, 2, 9, 8),
    value: make(1, 2, 9, 8),
    queryStarts: Int32Array.of(0, 0, 3, 3, 7),
    keyStarts: Int32Array.of(0, 1, 5, 5, 9),
    causal: true,
    queryOffset: "bottom-right" as const,
  };
  check(inputs, rows);
});
