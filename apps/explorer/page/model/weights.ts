import { type HostTensor, tensor } from "heed";

/** A group of weights in TensorFlow.js' format: they lie one after another in the files of `paths`. */
export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
}

/** Weights by the end of their name. */
export class Weights {
  readonly #tensors: ReadonlyMap<string, HostTensor<"float32">>;

  /** @param bytes the files of the group, joined; little-endian, four bytes an element */
  constructor(group: WeightGroup, bytes: ArrayBuffer) {
    const tensors = new Map<string, HostTensor<"float32">>();
    let offset = 0;
    for (const { name, dtype, shape } of group.weights) {
      const count = shape.reduce((all, size) => all * size, 1);
      if (offset + 4 * count > bytes.byteLength) {
        throw new RangeError(`${name}: the files end before its last element`);
      }
      if (dtype === "float32" && shape.length > 0) {
        tensors.set(name, tensor(new Float32Array(bytes, offset, count), shape));
      }
      offset += 4 * count;
    }
    this.#tensors = tensors;
  }

  /** @throws RangeError unless exactly one name ends so */
  get(end: string): HostTensor<"float32"> {
    const found = [...this.#tensors].filter(([name]) => name.endsWith(end));
    if (found.length !== 1) throw new RangeError(`${end}: ${found.length} weights have that name`);
    return (found[0] as [string, HostTensor<"float32">])[1];
  }
}
