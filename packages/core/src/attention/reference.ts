import { type HostTensor, zeros } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { type BoundInputs, bindInputs } from "./bind.js";
import { describeProblem } from "./describe.js";
import type {
  AttentionInputs,
  AttentionOutputs,
  AttentionOutputsOf,
  AttentionReturns,
  ScoresKind,
} from "./inputs.js";
import type { AttentionProblem } from "./problem.js";
import { visibleBand } from "./visibility.js";

/**
 * Attention in float64 on inputs already rounded to their dtype, one row at a time, written to be
 * read beside the semantics of {@link AttentionInputs}: the oracle that backends are judged by.
 *
 * @returns float64 tensors, whatever the inputs' dtype
 * @throws InvalidInputError, DisposedError as `describeProblem`
 */
export function referenceAttention<const Returns extends AttentionReturns = AttentionReturns>(
  inputs: AttentionInputs<HostTensor, HostTensor, Returns>,
): AttentionOutputsOf<HostTensor, "float64", Returns> {
  const problem = describeProblem(inputs);
  const outputs: object = evaluateReference(problem, bindInputs(problem, inputs));
  return outputs as AttentionOutputsOf<HostTensor, "float64", Returns>;
}

/** {@link referenceAttention} for a call that is already validated. */
export function evaluateReference(
  problem: AttentionProblem,
  bound: BoundInputs,
): AttentionOutputs<HostTensor> {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = problem;
  const { offsets, kvLengths, alibiSlopes, sinks } = bound;
  const query = toFloat64(bound.query);
  const key = toFloat64(bound.key);
  const value = toFloat64(bound.value);
  const mask = bound.mask ? reader(bound.mask) : null;
  const bias = bound.bias ? reader(bound.bias) : null;
  const { left, right } = visibleBand(problem);

  const output = zeros("float64", [batch, queryHeads, queryLength, valueDim]);
  const logSumExp = zeros("float64", [batch, queryHeads, queryLength]);
  const full = [batch, queryHeads, queryLength, keyLength];
  const weights = problem.returns.weights ? zeros("float64", full) : null;
  const scores = problem.returns.scores ? zeros("float64", full) : null;

  const logits = new Float64Array(keyLength);
  const visible: number[] = [];
  for (let b = 0; b < batch; b++) {
    const length = kvLengths[b] as number;
    for (let h = 0; h < queryHeads; h++) {
      const g = Math.floor((h * kvHeads) / queryHeads);
      const sink = sinks ? (sinks[h] as number) : Number.NEGATIVE_INFINITY;
      for (let i = 0; i < queryLength; i++) {
        const p = i + (offsets[b] as number);
        const row = (b * queryHeads + h) * queryLength + i;

        visible.length = 0;
        for (let j = 0; j < length; j++) {
          const inBand = p - left <= j && j <= p + right;
          if (!inBand && !scores) continue;
          // 1. scaled dot product
          const raw =
            problem.scale *
            dot(query, row * headDim, key, ((b * kvHeads + g) * keyLength + j) * headDim, headDim);
          // 2. softcap
          const capped = problem.softcap ? problem.softcap * Math.tanh(raw / problem.softcap) : raw;
          // 3. bias and ALiBi
          const added = bias ? bias(b, h, i, j) : 0;
          let s = capped + added;
          if (alibiSlopes) s -= (alibiSlopes[h] as number) * Math.abs(p - j);
          if (scores)
            scores.data[row * keyLength + j] = pick(problem.returns.scores, raw, capped, s);
          // 4. visibility; a bias of −∞ hides also a product of NaN or +∞, which it would leave NaN
          const excluded = added === Number.NEGATIVE_INFINITY || s === Number.NEGATIVE_INFINITY;
          if (inBand && mask?.(b, h, i, j) !== 0 && !excluded) {
            logits[j] = s;
            visible.push(j);
          }
        }

        // 5. softmax over the visible keys and the sink; a visible NaN or +∞ makes all of it NaN
        let max = sink;
        for (const j of visible) max = Math.max(max, logits[j] as number);
        if (max === Number.NEGATIVE_INFINITY) {
          logSumExp.data[row] = Number.NEGATIVE_INFINITY;
          continue;
        }
        let denominator = Math.exp(sink - max);
        for (const j of visible) denominator += Math.exp((logits[j] as number) - max);
        logSumExp.data[row] = max + Math.log(denominator);

        // 6. weighted sum of values
        for (const j of visible) {
          const weight = Math.exp((logits[j] as number) - max) / denominator;
          if (weights) weights.data[row * keyLength + j] = weight;
          const at = ((b * kvHeads + g) * keyLength + j) * valueDim;
          for (let c = 0; c < valueDim; c++) {
            (output.data[row * valueDim + c] as number) += weight * (value[at + c] as number);
          }
        }
      }
    }
  }
  return {
    output,
    ...(problem.returns.logSumExp && { logSumExp }),
    ...(weights && { weights }),
    ...(scores && { scores }),
  };
}

function dot(a: Float64Array, atA: number, b: Float64Array, atB: number, n: number): number {
  let sum = 0;
  for (let c = 0; c < n; c++) sum += (a[atA + c] as number) * (b[atB + c] as number);
  return sum;
}

function pick(kind: ScoresKind | null, raw: number, capped: number, biased: number): number {
  return kind === "raw" ? raw : kind === "capped" ? capped : biased;
}

/** Reads an expanded mask or bias in place: repeated elements are converted once. */
function reader(t: HostTensor): (b: number, h: number, i: number, j: number) => number {
  const [sb, sh, si, sj] = t.strides as [number, number, number, number];
  const stored = t.strides.map((stride, axis) => (stride === 0 ? 1 : (t.shape[axis] as number)));
  const values = toFloat64({ ...t, shape: stored });
  const [, H, I, J] = stored as [number, number, number, number];
  return (b, h, i, j) =>
    values[(((sb && b) * H + (sh && h)) * I + (si && i)) * J + (sj && j)] as number;
}
