import {
  type AttentionInputs,
  cast,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { expect } from "vitest";

type Call = AttentionInputs<HostTensor>;

/** Numbers from −1 to 1, the same at each run. */
export class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  next(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 31 - 1;
  }

  /** An integer, `0 ≤ integer < below`. */
  below(below: number): number {
    return Math.floor(((this.next() + 1) / 2) * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  tensor(...shape: number[]): HostTensor {
    const count = shape.reduce((a, b) => a * b, 1);
    return tensor(
      Float32Array.from({ length: count }, () => this.next()),
      shape,
    );
  }
}

/** Keys or values stored as a dtype, with the scales that int8 has. */
export function stored(
  t: HostTensor,
  dtype: "float32" | "float16" | "int8",
): { readonly data: HostTensor; readonly scales?: HostTensor } {
  if (dtype !== "int8") return { data: cast(t, dtype) };
  const size = t.shape[3] as number;
  const rows = t.data.length / size;
  const scales = new Float32Array(rows);
  const elements = new Int8Array(t.data.length);
  for (let row = 0; row < rows; row++) {
    let most = 0;
    for (let c = 0; c < size; c++) most = Math.max(most, Math.abs(Number(t.data[row * size + c])));
    scales[row] = most / 127;
    for (let c = 0; c < size; c++) {
      elements[row * size + c] = Math.round(
        Number(t.data[row * size + c]) / (scales[row] as number) || 0,
      );
    }
  }
  return { data: tensor(elements, t.shape), scales: tensor(scales, t.shape.slice(0, 3)) };
}

/** A call whose keys and values are stored as a dtype. */
export function withStored(call: Call, dtype: "float32" | "float16" | "int8"): Call {
  const [key, value] = [stored(call.key, dtype), stored(call.value, dtype)];
  return {
    ...call,
    key: key.data,
    value: value.data,
    ...(key.scales && { keyScales: key.scales, valueScales: value.scales }),
  };
}

/** Results that are as the reference has them, within what float32 or float16 leaves of numbers around 1. */
export function expectAsReference(
  results: object,
  call: Call,
  within = call.query.dtype === "float16" ? 4e-3 : 2e-5,
): void {
  for (const [name, expected] of Object.entries(referenceAttention(call))) {
    const got = (results as Readonly<Record<string, HostTensor>>)[name] as HostTensor;
    expect(got.shape, name).toEqual(expected.shape);
    const [a, b] = [toFloat64(got), toFloat64(expected)];
    for (let at = 0; at < b.length; at++) {
      const [x, y] = [a[at] as number, b[at] as number];
      if (Object.is(x, y) || x === y) continue;
      if (Math.abs(x - y) <= within * Math.max(1, Math.abs(y))) continue;
      expect.fail(`${name}[${at}] is ${x}, and should be ${y}`);
    }
  }
}
