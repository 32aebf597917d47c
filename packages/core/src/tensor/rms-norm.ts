import { describeValue, InvalidInputError } from "../errors.js";
import { guarded } from "../options.js";
import { isFloatDType } from "./dtype.js";
import { readHostTensor } from "./host-tensor.js";
import type { HostTensor } from "./interfaces.js";
import { fromFloat64, toFloat64 } from "./values.js";

/**
 * Root mean square normalisation along the last axis (Zhang & Sennrich, 2019, arXiv:1910.07467):
 * `x · weight / √(mean(x²) + epsilon)`, evaluated in float64 and rounded once. Models apply it to the head
 * vectors of queries and keys before they are turned.
 *
 * @param t float64, float32 or float16 of any rank ≥ 1, in host memory
 * @param weight `[last axis]`, a float dtype, in host memory
 * @param epsilon finite, ≥ 0
 * @returns a row-major tensor of `t`'s shape and dtype
 * @throws InvalidInputError
 */
export const rmsNorm: (t: HostTensor, weight: HostTensor, epsilon?: number) => HostTensor = guarded(
  "t",
  normalise,
);

function normalise(t: HostTensor, weight: HostTensor, epsilon = 1e-6): HostTensor {
  const source = readHostTensor("t", t);
  const factors = readHostTensor("weight", weight);
  const size = source.shape.at(-1);
  if (!isFloatDType(source.dtype) || size === undefined) {
    const shape = `${source.dtype} of shape [${source.shape.join(", ")}]`;
    throw new InvalidInputError("t", "float64, float32 or float16 of rank 1 or more", shape);
  }
  if (!isFloatDType(factors.dtype) || factors.shape.length !== 1 || factors.shape[0] !== size) {
    const actual = `${factors.dtype} of shape [${factors.shape.join(", ")}]`;
    throw new InvalidInputError("weight", `a float dtype of shape [${size}]`, actual);
  }
  if (!Number.isFinite(epsilon) || epsilon < 0) {
    throw new InvalidInputError("epsilon", "a finite number ≥ 0", describeValue(epsilon));
  }
  const values = toFloat64(source);
  const w = toFloat64(factors);
  for (let at = 0; at < values.length; at += size) {
    let squares = 0;
    for (let i = 0; i < size; i++) squares += (values[at + i] as number) ** 2;
    const scale = 1 / Math.sqrt(squares / size + epsilon);
    for (let i = 0; i < size; i++) {
      values[at + i] = (values[at + i] as number) * scale * (w[i] as number);
    }
  }
  return fromFloat64(values, source.shape, source.dtype);
}
