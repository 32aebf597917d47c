import { encodeModel, GraphBuilder, type Value } from "@heed/backend-onnx/model";

/** Numbers between −1 and 1 that are the same in each run. */
export function noise(count: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * 0.9;
  });
}

/** Inputs of a model, by onnxruntime's names for element types. */
export type Feeds = Readonly<
  Record<
    string,
    {
      readonly type: string;
      readonly data: Float32Array | BigInt64Array | Int32Array | Uint8Array;
      readonly dims: readonly number[];
    }
  >
>;

export interface TestModel {
  readonly bytes: Uint8Array;
  readonly feeds: Feeds;
}

export function floats(dims: readonly number[], seed: number): Feeds[string] {
  const count = dims.reduce((product, size) => product * size, 1);
  return { type: "float32", data: noise(count, seed), dims };
}

export function longs(dims: readonly number[], values: readonly number[]): Feeds[string] {
  return { type: "int64", data: BigInt64Array.from(values, BigInt), dims };
}

/** Writes what transformers are made of, as exporters write it. */
export class Writer extends GraphBuilder {
  readonly opset: number;
  #seed = 1;

  constructor(opset: number) {
    super(opset);
    this.opset = opset;
  }

  weight(...dims: number[]): Value {
    const count = dims.reduce((product, size) => product * size, 1);
    return this.constant("float32", dims, noise(count, this.#seed++));
  }

  linear(input: Value, from: number, to: number): Value {
    return this.op("Add", [this.op("MatMul", [input, this.weight(from, to)]), this.weight(to)]);
  }

  transpose(value: Value, ...perm: number[]): Value {
    return this.op("Transpose", [value], { perm });
  }

  /** `[batch, length, heads·size]` as `[batch, heads, length, size]`. */
  heads(value: Value, heads: number, size: number): Value {
    return this.transpose(this.reshape(value, 0, -1, heads, size), 0, 2, 1, 3);
  }

  /** The other way round, and the output projection. */
  merged(value: Value, width: number): Value {
    return this.linear(this.reshape(this.transpose(value, 0, 2, 1, 3), 0, -1, width), width, width);
  }

  unsqueeze(value: Value, ...axes: number[]): Value {
    return this.opset < 13
      ? this.op("Unsqueeze", [value], { axes })
      : this.op("Unsqueeze", [value, this.integers(...axes)]);
  }

  softmax(value: Value, axis = -1): Value {
    return this.op("Softmax", [value], { axis });
  }

  /** Size of an axis as a list of one, as exporters compute it. */
  size(value: Value, axis: number): Value {
    return this.op("Gather", [this.op("Shape", [value]), this.integers(axis)], { axis: 0 });
  }

  float(value: number): Value {
    return this.scalar("float32", value);
  }

  model(): Uint8Array {
    return encodeModel(this.build());
  }
}
