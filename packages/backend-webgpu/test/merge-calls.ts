/** Calls of merging, and what is to come of them. */
import { Random } from "@heed/conformance";
import {
  broadcastTo,
  cast,
  type FloatDType,
  type HostTensor,
  type MergeInputs,
  type MergeOutputs,
  merge,
  type PartialAttention,
  slice,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { expect } from "vitest";

export type Part = PartialAttention<HostTensor>;
export type Half = "float32" | "float16";

export const random = new Random("merge");
/** The log-sum-exp of a row that saw no key. */
export const empty = Number.NEGATIVE_INFINITY;

/** Parts with log-sum-exps of about ±6, so that none drowns the others. */
export function partsOf(
  count: number,
  shape: readonly number[],
  dtype: Half = "float32",
  statistics: Half = "float32",
): Part[] {
  return Array.from({ length: count }, () => {
    const logSumExp = random.tensor(shape.slice(0, -1), "float32");
    for (let i = 0; i < logSumExp.data.length; i++)
      logSumExp.data[i] = 3 * Number(logSumExp.data[i]);
    return { output: random.tensor(shape, dtype), logSumExp: cast(logSumExp, statistics) };
  });
}

/** The parts with other values in some rows. */
export function withRows(
  parts: readonly Part[],
  change: (part: number, row: number) => { lse?: number; output?: number } | undefined,
): Part[] {
  return parts.map(({ output, logSumExp }, part) => {
    const values = toFloat64(output);
    const lses = toFloat64(logSumExp);
    const columns = output.shape.at(-1) as number;
    for (let row = 0; row < lses.length; row++) {
      const { lse, output: value } = change(part, row) ?? {};
      if (lse !== undefined) lses[row] = lse;
      if (value !== undefined) values.fill(value, row * columns, (row + 1) * columns);
    }
    return {
      output: cast(tensor(values, output.shape), output.dtype as FloatDType),
      logSumExp: cast(tensor(lses, logSumExp.shape), logSumExp.dtype as FloatDType),
    };
  });
}

/** Parts with rows that saw no key, whose outputs are not to be looked at. */
export const emptyRows = (count: number, dtype: Half, statistics: Half): Part[] =>
  withRows(partsOf(count, [2, 3, 5, 7], dtype, statistics), (part, row) => {
    // Row 0 is empty in every part; others in some. What such rows hold is not to be looked at.
    if (row === 0 || (row + part) % 3 === 0) {
      return {
        lse: empty,
        output: [Number.NaN, 6e4, Number.POSITIVE_INFINITY][part % 3] as number,
      };
    }
    return undefined;
  });

const sized = [1, 2, 3, 9, 20].flatMap((count) =>
  [1, 7, 64].flatMap((columns) =>
    (["float32", "float16"] as const).map(
      (dtype) =>
        [
          `${count} parts of ${columns} columns, ${dtype}`,
          partsOf(count, [2, 3, 5, columns], dtype),
        ] as const,
    ),
  ),
);

/** Calls by what is special about them. */
export const calls: readonly (readonly [string, readonly Part[]])[] = [
  ...sized,
  ...([1, 3, 13] as const).flatMap((count) =>
    (["float32", "float16"] as const).flatMap((dtype) =>
      (["float32", "float16"] as const).map(
        (statistics) =>
          [
            `empty rows in ${count} parts, ${dtype}, log-sum-exp ${statistics}`,
            emptyRows(count, dtype, statistics),
          ] as const,
      ),
    ),
  ),
  ["one row, without other axes", partsOf(3, [9])],
  ["no columns", partsOf(7, [2, 5, 0])],
  ["no rows", partsOf(2, [2, 0, 5])],
  [
    "strided views",
    Array.from({ length: 8 }, (_, part) => {
      const [own] = partsOf(1, [2, 5, 3, 9]) as [Part];
      const [dense] = partsOf(1, [2, 3, 5, 4]) as [Part];
      if (part % 2 === 1) return dense;
      return {
        output: transpose(slice(own.output, 3, 2, 6), [0, 2, 1, 3]),
        logSumExp: transpose(own.logSumExp, [0, 2, 1]),
      };
    }),
  ],
  [
    "float16 views at odd offsets",
    Array.from({ length: 7 }, () => {
      const output = slice(random.tensor([3, 5, 9], "float16"), 0, 1, 3);
      return {
        output: slice(output, 2, 3, 8),
        logSumExp: slice(slice(random.tensor([3, 7], "float16"), 0, 1, 3), 1, 1, 6),
      };
    }),
  ],
  [
    "repeated rows and columns that lie apart",
    Array.from({ length: 2 }, () => ({
      output: transpose(random.tensor([4, 6, 3], "float32"), [2, 1, 0]),
      logSumExp: broadcastTo(random.tensor([1, 6], "float32"), [3, 6]),
    })),
  ],
  [
    "eight axes of rows, none of which join",
    Array.from({ length: 2 }, () => ({
      output: transpose(
        random.tensor([2, 2, 3, 2, 2, 2, 2, 2, 3], "float32"),
        [7, 6, 5, 4, 3, 2, 1, 0, 8],
      ),
      logSumExp: transpose(
        random.tensor([2, 2, 3, 2, 2, 2, 2, 2], "float32"),
        [7, 6, 5, 4, 3, 2, 1, 0],
      ),
    })),
  ],
  [
    "log-sum-exps at the ends of float32",
    withRows(partsOf(7, [6, 5]), (part, row) => {
      const far = [3.4e38, -3.4e38, 1e4, -1e4, part === 2 ? -3.4e38 : empty, -100 * part];
      return { lse: (row < 2 && part % 2 === 1 ? -1 : 1) * (far[row] as number) };
    }),
  ],
  [
    "subnormal log-sum-exps and outputs of float16",
    withRows(partsOf(2, [4, 3], "float16", "float16"), (part, row) => ({
      lse: 2 ** -24 * (row + part),
      output: 2 ** -24 * (row + 1),
    })),
  ],
  [
    "log-sum-exps that are no numbers",
    withRows(partsOf(8, [6, 5]), (part, row) => {
      if (row === 1 && part === 6) return { lse: Number.NaN };
      if (row === 2 && part === 0) return { lse: Number.POSITIVE_INFINITY };
      if (row === 3) return { lse: part === 7 ? Number.NaN : empty, output: Number.NaN };
      return undefined;
    }),
  ],
  [
    "NaN in a part that counts",
    withRows(partsOf(7, [3, 5]), (part, row) =>
      row === 1 && part === 1 ? { output: Number.NaN } : undefined,
    ),
  ],
];

/** Holds what a backend returned against the reference. */
export function checkMerged(parts: readonly Part[], got: MergeOutputs<HostTensor>): void {
  const inputs: MergeInputs = { parts };
  const expected = merge.reference(
    merge.bind(merge.describe(inputs), inputs),
  ) as MergeOutputs<HostTensor>;
  const [first] = parts as readonly [Part];
  expect(got.output.shape).toEqual(first.output.shape);
  expect(got.output.dtype).toBe(first.output.dtype);
  expect(got.logSumExp.shape).toEqual(first.logSumExp.shape);
  expect(got.logSumExp.dtype).toBe("float32");
  const lses = toFloat64(got.logSumExp);
  // As far from 0 as the parts are, and the logarithm of WGSL, which is exact to 2^-21 near 1.
  for (const [i, lse] of toFloat64(expected.logSumExp).entries()) {
    if (!Number.isFinite(lse)) expect(lses[i]).toBe(lse);
    else
      expect(Math.abs((lses[i] as number) - lse)).toBeLessThanOrEqual(
        2 ** -20 + Math.abs(lse) * 2 ** -22,
      );
  }
  const half = first.output.dtype === "float16";
  // A weight is exp of a difference of log-sum-exps: as exact as these, and as exp in WGSL.
  const relative = 2 ** -18 + 2 ** -22 * parts.length;
  let largest = 1;
  for (const { output } of parts) {
    for (const value of toFloat64(output)) {
      if (Number.isFinite(value) && Math.abs(value) < 100)
        largest = Math.max(largest, Math.abs(value));
    }
  }
  const values = toFloat64(got.output);
  for (const [i, value] of toFloat64(expected.output).entries()) {
    if (!Number.isFinite(value)) {
      expect(values[i]).toBe(value);
      continue;
    }
    // Half of the distance to the next float16.
    const rounding = half ? Math.abs(value) * 2 ** -11 + 2 ** -25 : 0;
    expect(Math.abs((values[i] as number) - value)).toBeLessThanOrEqual(
      rounding + largest * relative,
    );
  }
}
