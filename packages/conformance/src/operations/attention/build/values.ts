import { type FloatDType, fromFloat64, type HostTensor, toFloat64 } from "@heed/core";
import type { Values } from "../spec.js";

/** Writes a spec's special numbers over freshly made row-major tensors. */
export function shapeValues(
  values: Values,
  dtype: FloatDType,
  query: HostTensor,
  key: HostTensor,
  value: HostTensor,
): void {
  const change = (t: HostTensor, f: (x: number, i: number) => number): void => {
    const changed = fromFloat64(toFloat64(t).map(f), t.shape, dtype);
    t.data.set(changed.data as never);
  };
  const size = key.shape[3] as number;
  const perHead = (key.shape[2] as number) * size;
  if (values === "positive-values") change(value, (x) => 1 + Math.abs(x));
  if (values === "large-scores") change(query, (x) => x * 1e4);
  if (values === "equal-keys") {
    const keys = toFloat64(key);
    change(key, (_, i) => keys[Math.floor(i / perHead) * perHead + (i % size)] as number);
  }
  if (values === "last-key-wins") {
    change(query, (x) => Math.abs(x) + 1);
    change(key, (x, i) => (i % perHead >= perHead - size ? 8 : -Math.abs(x)));
  }
  if (values === "rising-scores") {
    const keys = key.shape[2] as number;
    change(query, (x) => 1 + 0.1 * x);
    const rise = 8 / Math.sqrt(size) / keys;
    change(key, (x, i) => 0.2 * x + rise * (Math.floor(i / size) % keys));
  }
  if (values === "zero-queries") change(query, () => 0);
  if (values === "nearly-equal-scores") {
    change(value, () => 1);
    change(query, (_, i) => (i % size === 0 ? Math.sqrt(size) : 0));
    change(key, (_, i) => (i % perHead === 0 ? 1 : 0));
  }
  if (values === "scores-beyond-float16") {
    // |score| is about √size · 300 · 300 / √size = 90,000 where signs agree.
    change(query, (x, i) => (i % size === 0 ? 300 * Math.sqrt(size) : x));
    change(key, (x, i) => (i % size === 0 ? 300 + Math.sign(x) : 0.1 * x));
  }
  const subnormal = { float64: 1e-310, float32: 1e-40, float16: 1e-7 }[dtype];
  if (values === "subnormal-values") change(value, (x) => x * subnormal);
  if (values === "subnormal-scores") {
    change(query, (x) => x * subnormal);
    change(key, (x) => x * subnormal);
  }
  if (values === "largest-values") {
    // Rounded weights may add up to a little more than 1: a last bit of room is left for that.
    const largest = { float64: 1.7e308, float32: 3.3e38, float16: 64_000 }[dtype];
    change(value, (x) => (x < 0 ? -largest : largest));
    // |score| ≤ scale · size · √(most / (scale · size))² = most
    const most = 30_000;
    const reach = Math.sqrt(most / Math.sqrt(size));
    change(query, (x) => Math.sign(x) * reach);
    change(key, (x) => Math.max(-1, Math.min(1, x)) * reach);
  }
}
