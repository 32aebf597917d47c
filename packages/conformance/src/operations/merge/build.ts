import {
  type FloatDType,
  fromFloat64,
  type HostTensor,
  type MergeInputs,
  type PartialAttention,
  statisticsDType,
  tensor,
} from "@heed/core";
import { strided } from "../../calls/layout.js";
import { Random } from "../../calls/random.js";
import type { Arithmetic } from "../../judge/arithmetic.js";
import { largestNumber } from "../../judge/roundoff.js";
import type { MergeNumbers, MergeSpec } from "./spec.js";

export type MergeCall = MergeInputs<HostTensor>;

/**
 * The call that a spec describes.
 *
 * @param seed the case's id: the same one always gives the same numbers
 * @param arithmetic of the device: poison is NaN and ±∞ only where these may stand in unread data
 */
export function buildMerge(
  spec: MergeSpec,
  seed: string,
  { nonFinite }: Pick<Arithmetic, "nonFinite">,
): MergeCall {
  const { parts, rows: shape, valueDim = 64, dtype = "float32", numbers = "near" } = spec;
  const statistics = statisticsDType(dtype);
  const { logSumExpDType = statistics } = spec;
  const random = new Random(seed);
  const rows = shape.reduce((count, size) => count * size, 1);
  // The largest magnitude that both the inputs' and the accumulators' dtype hold.
  const limit = Math.min(largestNumber[logSumExpDType], largestNumber[statistics]);
  const lses = Array.from({ length: parts }, () => new Float64Array(rows));
  for (let row = 0; row < rows; row++) {
    const drawn = drawRow(numbers, row, parts, limit, random);
    for (const [p, lse] of drawn.entries()) (lses[p] as Float64Array)[row] = lse;
  }
  const large = largestNumber[dtype];
  const poison = nonFinite
    ? [Number.NaN, large, Number.POSITIVE_INFINITY, -large, Number.NEGATIVE_INFINITY]
    : [large, -large];
  const made = lses.map((lse, p): PartialAttention<HostTensor> => {
    const values = random.normals(rows * valueDim);
    for (let at = 0; at < values.length; at++) {
      const row = Math.floor(at / valueDim);
      if (numbers === "large-outputs") values[at] = largeOutput(values[at] as number, dtype, parts);
      else if (lse[row] === Number.NEGATIVE_INFINITY) values[at] = poison[at % poison.length] ?? 0;
    }
    if (numbers.startsWith("nan-output") && p === parts - 1) values[valueDim >> 1] = Number.NaN;
    return {
      output: fromFloat64(values, [...shape, valueDim], dtype),
      logSumExp: fromFloat64(lse, shape, logSumExpDType),
    };
  });
  return { parts: layOutParts(made, spec) };
}

/** Accumulators of float16 are wider; a sum of the others must stay in range before it is divided. */
function largeOutput(x: number, dtype: FloatDType, parts: number): number {
  const most = dtype === "float16" ? largestNumber.float16 : largestNumber[dtype] / (2 * parts);
  return Math.sign(x) * most * (1 - Math.min(0.5, Math.abs(x) / 8));
}

function drawRow(
  numbers: MergeNumbers,
  row: number,
  parts: number,
  limit: number,
  random: Random,
): number[] {
  const list = (of: (p: number) => number): number[] =>
    Array.from({ length: parts }, (_, p) => of(p));
  const near = (centre: number): number[] => list(() => centre + 2 * random.normal());
  const chosen = row % parts;
  switch (numbers) {
    case "near":
    case "large-outputs":
    case "nan-output":
      return near(0);
    case "far":
      return list((p) => -300 * ((p + parts - chosen) % parts) + random.normal());
    case "1e4":
      return near(1e4);
    case "-1e4":
      return near(-1e4);
    case "1e6":
      return near(1e6);
    case "ends": {
      const [low, high] = [-limit, limit];
      return list(
        (p) => [low, high, p === chosen ? high : low, p === chosen ? 0 : low][row % 4] ?? 0,
      );
    }
    case "equal":
      return list(() => 3.25 - row);
    case "all-empty":
      return list(() => Number.NEGATIVE_INFINITY);
    case "some-empty":
      return near(-2).map((x) => (random.uniform() < 1 / 3 ? Number.NEGATIVE_INFINITY : x));
    case "one-seen":
      return near(5).map((x, p) => (p === chosen ? x : Number.NEGATIVE_INFINITY));
    case "nan":
    case "infinity": {
      const lses = near(0);
      if (row === 0) lses[parts >> 1] = numbers === "nan" ? Number.NaN : Number.POSITIVE_INFINITY;
      return lses;
    }
    case "nan-output-vanishing":
      return near(0).map((x, p) => (p === parts - 1 && row === 0 ? -2000 : x));
  }
}

function layOutParts(
  parts: readonly PartialAttention<HostTensor>[],
  { layout = "row-major" }: MergeSpec,
): PartialAttention<HostTensor>[] {
  switch (layout) {
    case "row-major":
      return [...parts];
    case "transposed":
      return parts.map(({ output, logSumExp }) => ({
        output: strided(output, true),
        logSumExp: strided(logSumExp, true),
      }));
    case "gaps":
      return parts.map(({ output, logSumExp }) => ({
        output: withGaps(output, output.shape.at(-1) as number),
        logSumExp: withGaps(logSumExp, 1),
      }));
    case "stacked": {
      const outputs = stack(
        parts.map(({ output }) => output),
        false,
      );
      const lses = stack(
        parts.map(({ logSumExp }) => logSumExp),
        true,
      );
      return outputs.map((output, p) => ({ output, logSumExp: lses[p] as HostTensor }));
    }
  }
}

/** The same elements 3 elements into a larger array, 2 elements of NaN after each block. */
function withGaps(t: HostTensor, block: number): HostTensor {
  const count = t.shape.reduce((product, size) => product * size, 1);
  const place = (at: number): number => 3 + at + 2 * Math.floor(at / block);
  const length = place(count) + 3;
  const { data } = fromFloat64(new Float64Array(length).fill(Number.NaN), [length], t.dtype);
  for (let at = 0; at < count; at++) data[place(at)] = t.data[at] as number;
  const strides = t.strides.map((s) => (s < block ? s : (s / block) * (block + 2)));
  return tensor(data, t.shape, { dtype: t.dtype, strides, offset: 3 });
}

/** Row-major tensors of one shape as views of one array, one after another or interleaved. */
function stack(tensors: readonly HostTensor[], interleaved: boolean): HostTensor[] {
  const [first] = tensors as [HostTensor];
  const count = first.shape.reduce((product, size) => product * size, 1);
  const [step, start] = interleaved ? [tensors.length, 1] : [1, count];
  const wide = fromFloat64(
    new Float64Array(count * tensors.length),
    [count * tensors.length],
    first.dtype,
  );
  for (const [p, t] of tensors.entries()) {
    for (let at = 0; at < count; at++) wide.data[p * start + at * step] = t.data[at] as number;
  }
  return tensors.map((t, p) => {
    const strides = t.strides.map((s) => s * step);
    return tensor(wide.data, t.shape, { dtype: t.dtype, strides, offset: p * start });
  });
}
