import {
  type Runtime,
  type RuntimeDType,
  type RuntimeTensor,
  runtimeTensor,
} from "@heed/backend-onnx/runtime";
import {
  contiguous,
  type DType,
  float16BitsToNumber,
  type HostTensor,
  InvalidInputError,
  type TypedArray,
  tensor,
} from "@heed/core";

/** A tensor between pieces: onnxruntime's, in JavaScript memory. */
export type Value = Pick<RuntimeTensor, "type" | "dims" | "data">;

const dtypes: Readonly<Record<string, DType>> = {
  float64: "float64",
  float32: "float32",
  float16: "float16",
  int32: "int32",
  int8: "int8",
  uint8: "uint8",
  bool: "bool",
};

/** A tensor of onnxruntime's as Heed's, over the same memory; undefined for an element type that Heed lacks. */
export function hostTensor({ type, dims, data }: Value): HostTensor | undefined {
  const dtype = dtypes[type];
  return dtype && tensor(data as TypedArray, dims, { dtype });
}

/** An output of onnxruntime's as Heed's tensor. @throws InvalidInputError for an element type that Heed lacks */
export function floats(made: {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}): HostTensor {
  const t = hostTensor(made as RuntimeTensor);
  if (!t) throw new InvalidInputError("output", "a tensor of numbers that Heed has", made.type);
  return t;
}

/** Heed's tensor as onnxruntime's, row-major, with sizes of its own. */
export function runtimeValue(
  runtime: Runtime,
  t: HostTensor,
  dims: readonly number[],
): RuntimeTensor {
  const { data, offset, dtype } = contiguous(t);
  const count = dims.reduce((product, size) => product * size, 1);
  const elements = data.length === count ? data : data.subarray(offset, offset + count);
  return runtimeTensor(runtime, dtype as RuntimeDType, elements as TypedArray, dims);
}

/** A tensor of onnxruntime's as its sessions can read it: see `runtimeTensor` about float16. */
export function feedValue(runtime: Runtime, value: RuntimeTensor): RuntimeTensor {
  if (value.type !== "float16" || value.location !== "cpu") return value;
  if (value.data instanceof Uint16Array) return value;
  return runtimeTensor(runtime, "float16", value.data as TypedArray, value.dims);
}

/** The elements of a small tensor as numbers. */
export function numbersOf({ type, data }: Value): number[] {
  const bits = type === "float16" && data instanceof Uint16Array;
  return Array.from(data as ArrayLike<number | bigint>, (one) =>
    bits ? float16BitsToNumber(one as number) : Number(one),
  );
}
