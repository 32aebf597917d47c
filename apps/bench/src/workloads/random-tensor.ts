// provisional
import { type FloatDType, fromFloat64, type HostTensor } from "@heed/core";
export function randomTensor(
  shape: readonly number[],
  dtype: FloatDType,
  seed: number,
): HostTensor {
  const n = shape.reduce((a, b) => a * b, 1);
  const v = new Float64Array(n);
  let s = seed * 2654435761;
  for (let i = 0; i < n; i++) {
    s = (Math.imul(s, 1664525) + 1013904223) | 0;
    const a = ((s >>> 8) + 1) / 2 ** 24;
    s = (Math.imul(s, 1664525) + 1013904223) | 0;
    v[i] = Math.sqrt(-2 * Math.log(a)) * Math.cos((2 * Math.PI * (s >>> 8)) / 2 ** 24);
  }
  return fromFloat64(v, shape, dtype);
}
