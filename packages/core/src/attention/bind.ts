import { InvalidInputError } from "../errors.js";
import { type HostTensor, isDeviceTensor, type Tensor } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { broadcastTo } from "../tensor/views.js";
import type { AttentionInputs, HeadValues } from "./inputs.js";
import type { AttentionProblem } from "./problem.js";

/** A call's positions and lengths, resolved to one integer a batch. */
export interface BoundPositions {
  /** `[batch]`: position of query row 0; zeros where no rule needs positions. */
  readonly offsets: Int32Array;
  /** `[batch]`: number of existing keys; keyLength where `kvLengths` was not given. */
  readonly kvLengths: Int32Array;
}

/** A call's per-head values. */
export interface BoundHeadValues {
  /** `[queryHeads]`. */
  readonly alibiSlopes: Float64Array | null;
  /** `[queryHeads]`; −∞ is no sink. */
  readonly sinks: Float64Array | null;
}

/** A call on host tensors with everything optional resolved: what a kernel's loops want. */
export interface BoundInputs extends BoundPositions, BoundHeadValues {
  readonly query: HostTensor;
  readonly key: HostTensor;
  readonly value: HostTensor;
  /** Expanded to `[batch, queryHeads, queryLength, keyLength]` by strides of 0. */
  readonly mask: HostTensor | null;
  /** Expanded to `[batch, queryHeads, queryLength, keyLength]` by strides of 0. */
  readonly bias: HostTensor | null;
}

/**
 * Resolves `queryOffset` and `kvLengths`.
 *
 * @param inputs a call that `describeProblem` has turned into `problem`
 */
export function bindPositions(problem: AttentionProblem, inputs: AttentionInputs): BoundPositions {
  const { batch, queryLength, keyLength } = problem;
  const kvLengths = inputs.kvLengths
    ? Int32Array.from(inputs.kvLengths)
    : new Int32Array(batch).fill(keyLength);
  const { queryOffset } = inputs;
  switch (problem.positions) {
    case "none":
      return { offsets: new Int32Array(batch), kvLengths };
    case "fixed":
      return { offsets: new Int32Array(batch).fill(Number(queryOffset ?? 0)), kvLengths };
    case "bottom-right":
      return { offsets: kvLengths.map((length) => length - queryLength), kvLengths };
    case "per-batch":
      return { offsets: Int32Array.from(queryOffset as ArrayLike<number>), kvLengths };
  }
}

/** Resolves `alibiSlopes` and `sinks`, whichever way they were given. */
export function bindHeadValues(inputs: AttentionInputs): BoundHeadValues {
  return { alibiSlopes: headValues(inputs.alibiSlopes), sinks: headValues(inputs.sinks) };
}

function headValues(values: HeadValues | undefined): Float64Array | null {
  if (values === undefined) return null;
  return "data" in values ? toFloat64(values) : Float64Array.from(values);
}

/**
 * Resolves a whole call for a backend that computes on host tensors.
 *
 * @param inputs a call that `describeProblem` has turned into `problem`
 * @throws InvalidInputError where a tensor lives on a device
 */
export function bindInputs(problem: AttentionProblem, inputs: AttentionInputs): BoundInputs {
  const { batch, queryHeads, queryLength, keyLength } = problem;
  const full = [batch, queryHeads, queryLength, keyLength];
  const expand = (name: "mask" | "bias"): HostTensor | null => {
    const t = inputs[name];
    return t === undefined ? null : broadcastTo(hostTensor(name, t), full, name);
  };
  return {
    query: hostTensor("query", inputs.query),
    key: hostTensor("key", inputs.key),
    value: hostTensor("value", inputs.value),
    mask: expand("mask"),
    bias: expand("bias"),
    ...bindPositions(problem, inputs),
    ...bindHeadValues(inputs),
  };
}

function hostTensor(argument: string, t: Tensor): HostTensor {
  if (isDeviceTensor(t)) {
    throw new InvalidInputError(argument, "a host tensor", `a tensor of backend ${t.backend}`);
  }
  return t;
}
