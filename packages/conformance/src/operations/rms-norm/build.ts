import { fromFloat64, type HostTensor, type RmsNormInputs, slice, transpose } from "@heed/core";
import { Random } from "../../calls/random.js";
import type { RmsNormSpec } from "./spec.js";

export type RmsNormCall = RmsNormInputs<HostTensor>;

const magnitudes: Readonly<Record<string, number>> = { small: 1e-3, large: 100 };

/**
 * The call that a spec describes.
 *
 * @param seed the case's id: the same one always gives the same numbers
 */
export function buildRmsNorm(spec: RmsNormSpec, seed: string): RmsNormCall {
  const { shape, epsilon, values = "normal" } = spec;
  const random = new Random(seed);
  const size = shape.at(-1) as number;
  const count = shape.reduce((product, n) => product * n, 1);
  const input = random.normals(count).map((x) => x * (magnitudes[values] ?? 1));
  if (values === "zeros") input.fill(0, 0, size);
  if (values === "nan" && count > 0) input[count - 1] = Number.NaN;
  return {
    input: layInput(input, spec),
    weight: layWeight(random.normals(size), spec),
    ...(epsilon !== undefined && { epsilon }),
  };
}

function layInput(
  values: Float64Array,
  { shape, layout = "plain", dtype = "float32" }: RmsNormSpec,
): HostTensor {
  const last = shape.length - 1;
  const size = shape[last] as number;
  if (layout === "gaps") {
    const wide = new Float64Array((values.length / Math.max(1, size)) * (size + 3)).fill(
      Number.NaN,
    );
    values.forEach((x, at) => {
      wide[Math.floor(at / size) * (size + 3) + 1 + (at % size)] = x;
    });
    const all = fromFloat64(wide, [...shape.slice(0, -1), size + 3], dtype);
    return slice(all, last, 1, size + 1) as HostTensor;
  }
  if (layout === "swapped" && last > 0) {
    const rows = shape[last - 1] as number;
    const swapped = new Float64Array(values.length);
    values.forEach((x, at) => {
      const [outer, row, i] = [
        Math.floor(at / size / rows),
        Math.floor(at / size) % rows,
        at % size,
      ];
      swapped[(outer * size + i) * rows + row] = x;
    });
    const axes = shape.map((_, axis) => axis);
    const turned = [...axes.slice(0, -2), last, last - 1];
    const dims = turned.map((axis) => shape[axis] as number);
    return transpose(fromFloat64(swapped, dims, dtype), turned) as HostTensor;
  }
  return fromFloat64(values, shape, dtype);
}

function layWeight(
  values: Float64Array,
  { weight = "whole", dtype = "float32" }: RmsNormSpec,
): HostTensor {
  if (weight === "whole") return fromFloat64(values, [values.length], dtype);
  const wide = new Float64Array(2 * values.length).fill(Number.NaN);
  values.forEach((x, i) => {
    wide[2 * i] = x;
  });
  const columns = slice(fromFloat64(wide, [values.length, 2], dtype), 1, 0, 1) as HostTensor;
  return { ...columns, shape: [values.length], strides: [2] };
}
