import { type DType, fromFloat64, type HostTensor, tensor } from "@heed/core";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A stream of numbers that a seed determines, everywhere and for good. */
export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  /** @param seed a name, such as a case's id, or an integer */
  constructor(seed: string | number) {
    this.#generator = xoroshiro128plus(typeof seed === "number" ? seed : hash(seed));
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return uniformFloat64(this.#generator);
  }

  /** Standard normal (Box & Muller, 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  normals(count: number): Float64Array {
    const values = new Float64Array(count);
    for (let at = 0; at < count; at++) values[at] = this.normal();
    return values;
  }

  /** A row-major tensor of standard normal values, rounded to the dtype. */
  tensor(shape: readonly number[], dtype: DType): HostTensor {
    return fromFloat64(this.normals(count(shape)), shape, dtype);
  }

  /** A row-major mask of which about `share` is true. */
  mask(shape: readonly number[], share: number): HostTensor {
    const data = Uint8Array.from({ length: count(shape) }, () => (this.uniform() < share ? 1 : 0));
    return tensor(data, shape, { dtype: "bool" });
  }
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value | 0;
}
