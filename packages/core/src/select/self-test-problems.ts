import type { AttentionInputs } from "../attention/inputs.js";
import type { FloatDType } from "../tensor/dtype.js";
import { type HostTensor, tensor } from "../tensor/tensor.js";
import { fromFloat64 } from "../tensor/values.js";

/** 2^16 / φ. */
const goldenRatio = 40503;

/**
 * The calls of the self-test: full attention; then grouped heads, more keys than one tile of 8, 16 or
 * 32, causal, with a mask. Every element is a multiple of 1/512 below 1, which each dtype holds
 * exactly, so that one list of expected results serves all of them.
 */
export function selfTestCalls(dtype: FloatDType): AttentionInputs<HostTensor>[] {
  const filled = (shape: readonly number[], seed: number): HostTensor => {
    const values = new Float64Array(shape.reduce((a, b) => a * b, 1));
    // A Weyl sequence by the golden ratio in 16 bits: no two rows alike. Integers alone, since this runs
    // before any of it is compiled.
    let state = seed * goldenRatio;
    for (let i = 0; i < values.length; i++) {
      state = (state + goldenRatio) & 0xffff;
      values[i] = (state >> 6) / 512 - 1;
    }
    return fromFloat64(values, shape, dtype);
  };
  return [
    {
      query: filled([1, 2, 3, 8], 1),
      key: filled([1, 2, 5, 8], 2),
      value: filled([1, 2, 5, 4], 3),
    },
    {
      query: filled([2, 4, 5, 8], 4),
      key: filled([2, 2, 37, 8], 5),
      value: filled([2, 2, 37, 12], 6),
      causal: true,
      queryOffset: "bottom-right",
      mask: tensor(
        Array.from({ length: 2 * 37 }, (_, i) => i % 5 !== 0),
        [2, 1, 1, 37],
      ),
      returns: { logSumExp: true },
    },
  ];
}
