import { type FloatDType, fromFloat64, type HostTensor } from "@heed/core";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Draws from the standard normal distribution (Box and Muller, 1958), rounded to the dtype. */
export function randomTensor(
  shape: readonly number[],
  dtype: FloatDType,
  seed: number,
): HostTensor {
  const generator = xoroshiro128plus(seed);
  const values = new Float64Array(shape.reduce((count, size) => count * size, 1));
  for (let i = 0; i < values.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniformFloat64(generator)));
    const angle = 2 * Math.PI * uniformFloat64(generator);
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
  return fromFloat64(values, shape, dtype);
}
