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

/** The numbered steps of `AttentionInputs`, in float32. */
function attend(problem: AttentionProblem, bound: BoundInputs): AttentionOutputs<HostTensor> {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const { scale, softcap, causal, returns } = problem;
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

    let max = sink;
    logits.fill(Number.NEGATIVE_INFINITY);
    for (let j = 0; j < length; j++) {
      let raw = 0;
      for (let c = 0; c < headDim; c++) {
        raw += at(bound.query, b, h, i, c) * at(bound.key, b, g, j, c);
      }
      raw *= scale;
      const capped = softcap === null ? raw : softcap * Math.tanh(raw / softcap);
      const bias = bound.bias ? at(bound.bias, b, h, i, j) : 0;
      const biased = capped + bias;
      const kind = returns.scores;
      if (scores && kind) scores.data[row * keyLength + j] = { raw, capped, biased }[kind];
      if (causal && j > position) continue;
      if (bound.mask && at(bound.mask, b, h, i, j) === 0) continue;
      // A bias of −∞ hides its key, also where the score is NaN, which adding it would leave NaN.
      if (bias === Number.NEGATIVE_INFINITY) continue;
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
      for (let c = 0; c < valueDim; c++) {
        (output.data[row * valueDim + c] as number) += weight * at(bound.value, b, g, j, c);
      }
    }
  }
  return {
    output,
    ...(logSumExp && { logSumExp }),
    ...(weights && { weights }),
    ...(scores && { scores }),
  };
}

/** Element `[b, h, i, j]`, through whatever strides the tensor has. */
function at(t: HostTensor, b: number, h: number, i: number, j: number): number {
  const [sb, sh, si, sj] = t.strides as [number, number, number, number];
  return t.data[t.offset + b * sb + h * sh + i * si + j * sj] as number;
}
