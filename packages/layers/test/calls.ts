import { type HostTensor, slice, tensor, toFloat64 } from "@heed/core";
import type { LayerWeights, MultiHeadAttentionOptions } from "@heed/layers";
import { expect } from "vitest";

let seed = 0;

/** Numbers of about 1 that repeat nowhere. */
export function floats(...shape: number[]): HostTensor<"float32"> {
  seed += 1.37;
  const count = shape.reduce((product, size) => product * size, 1);
  const wave = (_: unknown, i: number) => Math.sin(seed + 7.31 * i) * Math.cos(2.7 * i * seed);
  return tensor(Float32Array.from({ length: count }, wave), shape);
}

export function bools(values: readonly number[], ...shape: number[]): HostTensor<"bool"> {
  return tensor(Uint8Array.from(values), shape, { dtype: "bool" });
}

/** Sizes of a layer. */
export interface LayerSizes {
  readonly size?: number;
  readonly keySize?: number;
  readonly valueSize?: number;
  readonly queryHeads?: number;
  readonly kvHeads?: number;
  readonly headDim?: number;
  readonly valueDim?: number;
  readonly biases?: boolean;
}

export function weightsOf({
  size = 24,
  keySize = size,
  valueSize = keySize,
  queryHeads = 4,
  kvHeads = 2,
  headDim = 8,
  valueDim = headDim,
  biases = true,
}: LayerSizes = {}): LayerWeights {
  const linear = (out: number, width: number) => ({
    weight: floats(out, width),
    ...(biases && { bias: floats(out) }),
  });
  return {
    query: linear(queryHeads * headDim, size),
    key: linear(kvHeads * headDim, keySize),
    value: linear(kvHeads * valueDim, valueSize),
    output: linear(size, queryHeads * valueDim),
  };
}

/** A causal layer of grouped heads that turns queries and keys, each time with other weights. */
export const causalLayer = (): MultiHeadAttentionOptions => ({
  queryHeads: 4,
  kvHeads: 2,
  weights: weightsOf(),
  rotary: { theta: 100 },
  causal: true,
});

/** Some tokens of all batch entries. */
export const rows = (t: HostTensor, from: number, to: number) =>
  slice(t, 1, from, to) as HostTensor;

/** Float32 through projections and a softmax, against float64: some hundred roundings of the largest number. */
export function expectClose(got: HostTensor | undefined, wanted: ArrayLike<number>): void {
  const values = toFloat64(got as HostTensor);
  expect(values.length).toBe(wanted.length);
  const largest = Math.max(1e-30, ...Array.from(wanted, Math.abs));
  const worst = values.reduce(
    (most, x, i) => Math.max(most, Math.abs(x - (wanted[i] as number))),
    0,
  );
  expect(worst / largest).toBeLessThan(400 * 2 ** -24);
}
