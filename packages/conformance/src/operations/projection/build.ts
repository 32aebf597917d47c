import { fromFloat64, type HostTensor, type ProjectionInputs, slice, transpose } from "@heed/core";
import { Random } from "../../calls/random.js";
import type { ProjectionSpec } from "./spec.js";

export type ProjectionCall = ProjectionInputs<HostTensor>;

/**
 * The call that a spec describes.
 *
 * @param seed the case's id: the same one always gives the same numbers
 */
export function buildProjection(spec: ProjectionSpec, seed: string): ProjectionCall {
  const { batch = 1, length, inputSize = 16, outputSize = 12, dtype = "float32" } = spec;
  const random = new Random(seed);
  const numbers = (count: number): Float64Array => random.normals(count);
  const input = numbers(batch * length * inputSize);
  const weight = numbers(outputSize * inputSize);
  if (spec.values === "cancel") {
    // The second half of each row takes back what the first half adds, but for a little.
    const half = Math.floor(inputSize / 2);
    input.forEach((_, at) => {
      const i = at % inputSize;
      if (i >= half && i < 2 * half) input[at] = -(input[at - half] as number) * (1 + 2 ** -8);
    });
    weight.forEach((_, at) => {
      const i = at % inputSize;
      if (i >= half && i < 2 * half) weight[at] = weight[at - half] as number;
    });
  }
  if (spec.values === "nan" && input.length > 0) input[input.length - 1] = Number.NaN;
  return {
    input: layInput(input, [batch, length, inputSize], spec),
    weight: layWeight(weight, outputSize, inputSize, spec),
    ...(spec.bias && { bias: fromFloat64(numbers(outputSize), [outputSize], dtype) }),
  };
}

function layInput(
  values: Float64Array,
  shape: readonly [number, number, number],
  { layout = "plain", dtype = "float32" }: ProjectionSpec,
): HostTensor {
  const plain = fromFloat64(values, shape, dtype);
  const [batch, length, size] = shape;
  if (layout === "gaps") {
    const wide = new Float64Array(batch * length * (size + 3)).fill(Number.NaN);
    values.forEach((x, at) => {
      wide[Math.floor(at / size) * (size + 3) + 1 + (at % size)] = x;
    });
    return slice(fromFloat64(wide, [batch, length, size + 3], dtype), 2, 1, size + 1) as HostTensor;
  }
  if (layout === "swapped") {
    const swapped = new Float64Array(values.length);
    values.forEach((x, at) => {
      const [b, l, i] = [Math.floor(at / size / length), Math.floor(at / size) % length, at % size];
      swapped[(b * size + i) * length + l] = x;
    });
    return transpose(fromFloat64(swapped, [batch, size, length], dtype), [0, 2, 1]) as HostTensor;
  }
  return plain;
}

function layWeight(
  values: Float64Array,
  outputs: number,
  size: number,
  { weight = "plain", dtype = "float32" }: ProjectionSpec,
): HostTensor {
  if (weight === "transposed") {
    const swapped = values.map(
      (_, at) => values[(at % outputs) * size + Math.floor(at / outputs)] as number,
    );
    return transpose(fromFloat64(swapped, [size, outputs], dtype), [1, 0]) as HostTensor;
  }
  if (weight === "part") {
    // The second of three matrices, as in a packed in_proj_weight.
    const packed = new Float64Array(3 * values.length).fill(Number.NaN);
    packed.set(values, values.length);
    return slice(
      fromFloat64(packed, [3 * outputs, size], dtype),
      0,
      outputs,
      2 * outputs,
    ) as HostTensor;
  }
  return fromFloat64(values, [outputs, size], dtype);
}
