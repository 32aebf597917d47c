/**
 * A whole backend: what it refuses, and one row of attention at a time. It is correct but slow; make it
 * fast, and let `heed-conformance` say what that breaks.
 *
 * @module
 */
import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundInputs,
  defineBackend,
  type HostTensor,
  implement,
  type Provider,
  type SupportReason,
  zeros,
} from "@heed/core";

/** The provider that applications import. It does nothing until it is loaded. */
export function template(): Provider {
  return defineBackend({
    name: "template",
    // Loads the modules, devices or workers that the backend needs; the result is passed to all below.
    load: () => null,
    info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
    operations: {
      attention: implement(attention, {
        decide: (problem) => {
          const reasons = refusals(problem);
          return reasons.length > 0 ? { reasons } : { decision: undefined };
        },
        plan: (problem) => ({
          description: {
            kernel: "attention-rows-f32",
            tiles: { queries: 1 },
            workspaceBytes: 4 * problem.keyLength,
            dispatches: 1,
          },
          run: (bound) => attend(problem, bound as BoundInputs),
        }),
      }),
    },
  });
}

/** Reasons to refuse problems that are not computed here: callers read them, and another backend runs. */
function refusals({ dtype, window, alibi }: AttentionProblem): SupportReason[] {
  const reasons: SupportReason[] = [];
  if (dtype !== "float32") reasons.push({ code: "dtype", message: `has no ${dtype}` });
  if (window) reasons.push({ code: "window", message: "has no sliding windows" });
  if (alibi) reasons.push({ code: "alibi", message: "has no ALiBi" });
  return reasons;
}

/** The numbered steps of `AttentionInputs`, in float32, one row after another. */
function attend(problem: AttentionProblem, bound: BoundInputs): AttentionOutputs<HostTensor> {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const { scale, softcap, causal, returns } = problem;
  const { query, key, value, mask, bias } = bound;
  const rows = [batch, queryHeads, queryLength];
  const output = zeros("float32", [...rows, valueDim]);
  const logSumExp = returns.logSumExp ? zeros("float32", rows) : null;
  const weights = returns.weights ? zeros("float32", [...rows, keyLength]) : null;
  const scores = returns.scores ? zeros("float32", [...rows, keyLength]) : null;
  const logits = new Float32Array(keyLength);

  for (let row = 0; row < batch * queryHeads * queryLength; row++) {
    const i = row % queryLength;
    const h = Math.floor(row / queryLength) % queryHeads;
    const b = Math.floor(row / queryLength / queryHeads);
    const g = Math.floor((h * kvHeads) / queryHeads);
    const position = i + (bound.offsets[b] as number);
    const length = bound.kvLengths[b] as number;
    const sink = bound.sinks?.[h] ?? Number.NEGATIVE_INFINITY;
    const q = vector(query, b, h, i);

    let max = sink;
    logits.fill(Number.NEGATIVE_INFINITY);
    for (let j = 0; j < length; j++) {
      const added = bias ? element(vector(bias, b, h, i), j) : 0;
      const hidden =
        (causal && j > position) ||
        (mask && element(vector(mask, b, h, i), j) === 0) ||
        added === Number.NEGATIVE_INFINITY;
      // Scores are returned of hidden keys, too.
      if (hidden && !scores) continue;
      const raw = scale * dot(q, vector(key, b, g, j), headDim);
      const capped = softcap === null ? raw : softcap * Math.tanh(raw / softcap);
      const biased = capped + added;
      const kind = returns.scores;
      if (scores && kind) scores.data[row * keyLength + j] = { raw, capped, biased }[kind];
      if (hidden) continue;
      logits[j] = biased;
      max = Math.max(max, biased);
    }

    if (logSumExp) logSumExp.data[row] = Number.NEGATIVE_INFINITY;
    // A row without a visible key has output 0 and weights 0, as they are already.
    if (max === Number.NEGATIVE_INFINITY) continue;
    let sum = Math.exp(sink - max);
    for (let j = 0; j < length; j++) sum += Math.exp((logits[j] as number) - max);
    if (logSumExp) logSumExp.data[row] = max + Math.log(sum);
    for (let j = 0; j < length; j++) {
      const weight = Math.exp((logits[j] as number) - max) / sum;
      // A hidden value may be NaN, and 0 · NaN is NaN: it is not read.
      if (weight === 0) continue;
      if (weights) weights.data[row * keyLength + j] = weight;
      addScaled(
        output.data as Float32Array,
        row * valueDim,
        weight,
        vector(value, b, g, j),
        valueDim,
      );
    }
  }
  return {
    output,
    ...(logSumExp && { logSumExp }),
    ...(weights && { weights }),
    ...(scores && { scores }),
  };
}

/** A tensor's elements along its last axis: `data[start]`, `data[start + step]`, … */
interface Vector {
  readonly data: HostTensor["data"];
  readonly start: number;
  readonly step: number;
}

/** Elements `[b, h, i, …]`, whatever strides the tensor has: views and broadcasts are not copied. */
function vector({ data, offset, strides }: HostTensor, b: number, h: number, i: number): Vector {
  const at = (axis: number): number => strides[axis] as number;
  return { data, start: offset + b * at(0) + h * at(1) + i * at(2), step: at(3) };
}

function element({ data, start, step }: Vector, j: number): number {
  return data[start + j * step] as number;
}

function dot(x: Vector, y: Vector, length: number): number {
  let sum = 0;
  for (let c = 0; c < length; c++) sum += element(x, c) * element(y, c);
  return sum;
}

/** Adds `factor · x` to `length` elements of `to`, from `start` on. */
function addScaled(
  to: Float32Array,
  start: number,
  factor: number,
  x: Vector,
  length: number,
): void {
  for (let c = 0; c < length; c++) (to[start + c] as number) += factor * element(x, c);
}
