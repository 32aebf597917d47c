import type { FloatDType } from "../tensor/dtype.js";
import { allocate } from "../tensor/dtype.js";
import { type HostTensor, tensor } from "../tensor/tensor.js";

/** Cosines and sines, `[tokens, rotaryDim / 2]` each. */
export interface RotaryTables {
  readonly cos: HostTensor;
  readonly sin: HostTensor;
}

interface Computed extends RotaryTables {
  readonly frequencies: Float64Array;
  readonly positions: Int32Array;
  readonly dtype: FloatDType;
}

/**
 * The last tables that were computed: the layers of a model ask for the same ones, query and key
 * alike, and the sines of a long prefill take longer than turning by them.
 */
const recent: Computed[] = [];
const mostRecent = 4;

/** Inverse frequencies of a base: `theta^(−2i / rotaryDim)`. */
export function frequenciesOf(theta: number, rotaryDim: number): Float64Array {
  return Float64Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** ((-2 * i) / rotaryDim));
}

/**
 * Cosines and sines of position · frequency, evaluated in float64 and rounded once. The tensors are
 * shared between calls.
 *
 * @param dtype float32 or float64
 */
export function rotaryTables(
  frequencies: Float64Array,
  positions: Int32Array,
  dtype: "float32" | "float64",
): RotaryTables {
  const known = recent.find(
    (made) =>
      made.dtype === dtype &&
      same(made.frequencies, frequencies) &&
      same(made.positions, positions),
  );
  if (known) return known;
  const shape = [positions.length, frequencies.length];
  const cos = allocate(dtype, positions.length * frequencies.length);
  const sin = allocate(dtype, positions.length * frequencies.length);
  let at = 0;
  for (const position of positions) {
    for (const frequency of frequencies) {
      cos[at] = Math.cos(position * frequency);
      sin[at++] = Math.sin(position * frequency);
    }
  }
  const made = {
    cos: tensor(cos, shape, { dtype }),
    sin: tensor(sin, shape, { dtype }),
    frequencies,
    positions,
    dtype,
  };
  recent.unshift(made);
  recent.length = Math.min(recent.length, mostRecent);
  return made;
}

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
