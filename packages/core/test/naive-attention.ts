import { type HostTensor, tensor, toFloat64 } from "@heed/core";
import { expect } from "vitest";

export const waves = (...shape: number[]): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      Math.sin(shape.length + i * 1.7),
    ),
    shape,
  );
export const int32 = (values: readonly number[], ...shape: number[]): HostTensor<"int32"> =>
  tensor(Int32Array.from(values), shape);

/** The logit that a rule makes of a score; −∞ for a key that is not there. */
export type LogitOf = (b: number, h: number, i: number, j: number, score: number) => number;

/** Attention by its definition, in float64: `[batch, heads, length, size]` each, grouped heads included. */
export function naiveAttention(
  query: HostTensor,
  key: HostTensor,
  value: HostTensor,
  logitOf: LogitOf,
  sinkOf: (h: number) => number = () => Number.NEGATIVE_INFINITY,
): { readonly output: number[]; readonly logits: number[]; readonly weights: number[] } {
  const [batch, heads, length, size] = query.shape as [number, number, number, number];
  const [, kvHeads, total] = key.shape as [number, number, number];
  const columns = value.shape[3] as number;
  const [q, k, v] = [query, key, value].map(toFloat64) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const output = new Array<number>(batch * length * heads * columns).fill(0);
  const logits: number[] = [];
  const weights: number[] = [];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const keys = (b * kvHeads + Math.floor((h * kvHeads) / heads)) * total;
      for (let i = 0; i < length; i++) {
        const row = (b * heads + h) * length + i;
        const own = Array.from({ length: total }, (_, j) => {
          let score = 0;
          for (let c = 0; c < size; c++) {
            score += (q[row * size + c] as number) * (k[(keys + j) * size + c] as number);
          }
          return logitOf(b, h, i, j, score);
        });
        const most = Math.max(sinkOf(h), ...own);
        const powers = own.map((logit) => (most === -Infinity ? 0 : Math.exp(logit - most)));
        const sum = powers.reduce((x, y) => x + y, Math.exp(sinkOf(h) - most) || 0);
        const shares = powers.map((power) => (sum > 0 ? power / sum : 0));
        logits.push(...own);
        weights.push(...shares);
        for (const [j, share] of shares.entries()) {
          if (share === 0) continue;
          for (let c = 0; c < columns; c++) {
            const to = ((b * length + i) * heads + h) * columns + c;
            output[to] = (output[to] as number) + share * (v[(keys + j) * columns + c] as number);
          }
        }
      }
    }
  }
  return { output, logits, weights };
}

/** Fails unless a tensor has these elements, to float32's accuracy. */
export function expectElements(
  given: HostTensor | undefined,
  expected: readonly number[],
  label = "elements",
): void {
  const got = toFloat64(given as HostTensor);
  expect(got.length, label).toBe(expected.length);
  const wrong = expected.findIndex((x, at) => {
    const y = got[at] as number;
    return !Object.is(x, y) && !(Math.abs(x - y) <= 2e-6 * Math.max(1, Math.abs(x)));
  });
  expect([label, wrong, got[wrong]]).toEqual([label, -1, expected[wrong]]);
}

/** `[batch, heads, rows, size]` twice, one after the other along the rows. */
export function joinRows(before: HostTensor, fresh: HostTensor): HostTensor<"float32"> {
  const [batch, heads, first, size] = before.shape as [number, number, number, number];
  const second = fresh.shape[2] as number;
  const [a, b] = [toFloat64(before), toFloat64(fresh)];
  const data: number[] = [];
  for (let h = 0; h < batch * heads; h++) {
    data.push(...a.subarray(h * first * size, (h + 1) * first * size));
    data.push(...b.subarray(h * second * size, (h + 1) * second * size));
  }
  return tensor(Float32Array.from(data), [batch, heads, first + second, size]);
}
