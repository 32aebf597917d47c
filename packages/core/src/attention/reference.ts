import { programEvaluator } from "../program/evaluate.js";
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
import { Sequence } from "./sequences.js";
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
  const { alibiSlopes, sinks } = bound;
  const query = toFloat64(bound.query);
  const key = dequantised(bound.key, bound.keyScales);
  const value = dequantised(bound.value, bound.valueScales);
  const mask = bound.mask ? reader(bound.mask) : null;
  const maskMod = bound.maskMod && programEvaluator(bound.maskMod);
  const scoreMod = bound.scoreMod && programEvaluator(bound.scoreMod);
  const programs = maskMod !== null || scoreMod !== null;
  const point = { batch: 0, head: 0, query: 0, key: 0, queryIndex: 0, keyIndex: 0, score: 0 };
  const bias = bound.bias ? reader(bound.bias) : null;
  const { left, right } = visibleBand(problem);

  const output = zeros("float64", [batch, queryHeads, queryLength, valueDim]);
  const logSumExp = zeros("float64", [batch, queryHeads, queryLength]);
  const full = [batch, queryHeads, queryLength, keyLength];
  const weights = problem.returns.weights ? zeros("float64", full) : null;
  const scores = problem.returns.scores ? zeros("float64", full) : null;

  const logits = new Float64Array(keyLength);
  const visible: number[] = [];
  for (let number = 0; number < problem.sequences; number++) {
    const sequence = new Sequence(problem, bound, number);
    const { batch: b, queryStart } = sequence;
    // Row of key and value, over entries, heads and rows, at which each key's first head lies.
    const rowOf = new Float64Array(sequence.keyLength);
    const rows = problem.pages ? problem.pages.size : keyLength;
    sequence.forEachRun(0, sequence.keyLength, (first, entry, row, count) => {
      for (let j = 0; j < count; j++) rowOf[first + j] = entry * kvHeads * rows + row + j;
    });
    point.batch = number;
    for (let h = 0; h < queryHeads; h++) {
      point.head = h;
      const g = Math.floor((h * kvHeads) / queryHeads);
      const sink = sinks ? (sinks[h] as number) : Number.NEGATIVE_INFINITY;
      for (let i = 0; i < sequence.queryLength; i++) {
        const p = sequence.queryPosition(i);
        const row = (b * queryHeads + h) * queryLength + queryStart + i;

        visible.length = 0;
        for (let j = 0; j < sequence.keyLength; j++) {
          const position = sequence.keyPosition(j);
          const inBand = p - left <= position && position <= p + right;
          if (!inBand && !scores) continue;
          const stored = (rowOf[j] as number) + g * rows;
          // 1. scaled dot product
          const raw = problem.scale * dot(query, row * headDim, key, stored * headDim, headDim);
          // 2. softcap
          const capped = problem.softcap ? problem.softcap * Math.tanh(raw / problem.softcap) : raw;
          // 3. bias and ALiBi
          const added = bias ? bias(b, h, i, j) : 0;
          let s = capped + added;
          if (alibiSlopes) s -= (alibiSlopes[h] as number) * Math.abs(p - position);
          if (programs) {
            point.query = p;
            point.key = position;
            point.queryIndex = i;
            point.keyIndex = j;
            point.score = s;
            if (scoreMod) s = scoreMod(point);
          }
          if (scores)
            scores.data[row * keyLength + j] = pick(problem.returns.scores, raw, capped, s);
          // 4. visibility; a bias of −∞ hides also a product of NaN or +∞, which it would leave NaN
          const excluded = added === Number.NEGATIVE_INFINITY || s === Number.NEGATIVE_INFINITY;
          const masked = mask?.(b, h, i, j) === 0 || maskMod?.(point) === 0;
          if (inBand && !masked && isVisited(bound, number, h, i, j) && !excluded) {
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
          const at = ((rowOf[j] as number) + g * rows) * valueDim;
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

/** Whether the block mask has the block of a sequence's query and key, if there is one. */
function isVisited(
  { blockMask }: BoundInputs,
  s: number,
  h: number,
  i: number,
  j: number,
): boolean {
  if (blockMask === null) return true;
  const { blocks } = blockMask;
  const [query, key] = [Math.floor(i / blocks.queryBlock), Math.floor(j / blocks.keyBlock)];
  return blocks.kind(s, h, query, key) !== "empty";
}

/** The elements of keys or values: int8 is exact in float64 after its scale, too. */
function dequantised(stored: HostTensor, scales: HostTensor | null): Float64Array {
  const values = toFloat64(stored);
  if (scales === null) return values;
  const size = stored.shape[3] as number;
  const factors = toFloat64(scales);
  for (let row = 0; row < factors.length; row++) {
    for (let c = 0; c < size; c++) {
      (values[row * size + c] as number) *= factors[row] as number;
    }
  }
  return values;
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
