import {
  type AttentionInputs,
  type AttentionProblem,
  bindInputs,
  describeProblem,
  type FloatDType,
  type HostTensor,
  roundTo,
  toFloat64,
} from "@heed/core";
import type { ProgramPoint } from "@heed/core/program";
import { largestNumber, unitRoundoff } from "../../../judge/roundoff.js";
import { logitNotFinite, valueNotFinite } from "./flags.js";
import { naiveSequences } from "./places.js";
import { naiveProgram } from "./programs.js";

/** A naive evaluation, and the magnitudes that its rounding errors grow with. */
export interface NaiveEvaluation {
  readonly problem: AttentionProblem;
  /** `[batch, queryHeads, queryLength, valueDim]`. */
  readonly output: Float64Array;
  /** `[batch, queryHeads, queryLength]`. */
  readonly logSumExp: Float64Array;
  /** `[batch, queryHeads, queryLength, keyLength]` where asked for. */
  readonly weights: Float64Array | null;
  readonly scores: Float64Array | null;
  /** 1 where a row sees a key; `[batch, queryHeads, queryLength, keyLength]` with weights. */
  readonly visible: Uint8Array | null;
  /** Whether a row sees any key. */
  readonly seesAny: Uint8Array;
  /** Flags of each row for the non-finite numbers it sees: `logitNotFinite`, `valueNotFinite`, both, or 0. */
  readonly notFinite: Uint8Array;
  /**
   * By how much rounding a logit once may move it, the most of a row's keys that count: those within
   * e^−104 of the largest, below which float32 has nothing left. The unit roundoff times |logit|, at
   * any step; but a sum of two numbers is never rounded past either of them, and so where a bias as
   * large as −3.4·10³⁸ swallows a score, by no more than the score.
   */
  readonly logitRounding: Float64Array;
  /** A row's largest Σ|scale·q·k| over all existing keys: what a dot product's error grows with. */
  readonly productMagnitude: Float64Array;
  /** A row's largest |value| over the keys it sees. */
  readonly valueMagnitude: Float64Array;
  /**
   * The smallest and the largest value that a row sees, and 0 beside a sink: as {@link output}. What
   * a row without keys has is without meaning.
   */
  readonly lowestValue: Float64Array;
  readonly highestValue: Float64Array;
}

/**
 * Attention as the textbook has it, in the arithmetic of the inputs' dtype: all scores, then a
 * softmax with the maximum subtracted, then the weighted sum, each operation rounded. float16 is
 * done as frameworks' unfused paths do it: products accumulate in float32, what goes from one step to
 * the next is rounded to float16, and the softmax itself is float32.
 *
 * This is the yardstick of the budgets: a backend may be at most a small factor worse than this. Which keys a
 * row sees, and which key head a query head reads, is worked out here again on purpose: an oracle that
 * shares that code with what it judges would share its mistakes. Everything else in the suite uses core's.
 */
export function naiveAttention(inputs: AttentionInputs<HostTensor>): NaiveEvaluation {
  const problem = describeProblem(inputs);
  const bound = bindInputs(problem, inputs);
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim, dtype } = problem;
  const step: FloatDType = dtype === "float64" ? "float64" : "float32";
  const single = step === "float32";
  const f = single ? Math.fround : (x: number): number => x;
  const stored = (x: number): number => roundTo(dtype, x);
  // A logit beyond float16's range keeps float16's precision, not its range: −∞ would hide its key, +∞
  // would make its row NaN, and no budget could be told from that.
  const held = (x: number): number => {
    if (dtype !== "float16" || !(Math.abs(x) > largestNumber.float16) || !Number.isFinite(x)) {
      return stored(x);
    }
    const unit = 2 ** Math.floor(Math.log2(Math.abs(x)));
    return roundTo("float16", x / unit) * unit;
  };
  const u = unitRoundoff[dtype];
  const query = toFloat64(bound.query);
  const key = dequantised(bound.key, bound.keyScales, stored);
  const value = dequantised(bound.value, bound.valueScales, stored);
  const mask = bound.mask && toFloat64(bound.mask);
  const bias = bound.bias && toFloat64(bound.bias);
  const maskMod = bound.maskMod && naiveProgram(bound.maskMod, f, unitRoundoff[step]);
  const scoreMod = bound.scoreMod && naiveProgram(bound.scoreMod, f, unitRoundoff[step]);
  const blocks = problem.blockMask && toFloat64(bound.blockMask?.blocks.mask as HostTensor);
  const left = problem.window?.left ?? Number.POSITIVE_INFINITY;
  const right = problem.causal ? 0 : (problem.window?.right ?? Number.POSITIVE_INFINITY);
  const scale = f(problem.scale);
  const softcap = problem.softcap === null ? null : f(problem.softcap);

  const rows = batch * queryHeads * queryLength;
  const matrix = (wanted: boolean): Float64Array | null =>
    wanted ? new Float64Array(rows * keyLength) : null;
  const result = {
    problem,
    output: new Float64Array(rows * valueDim),
    logSumExp: new Float64Array(rows),
    weights: matrix(problem.returns.weights),
    scores: matrix(problem.returns.scores !== null),
    visible: problem.returns.weights ? new Uint8Array(rows * keyLength) : null,
    seesAny: new Uint8Array(rows),
    notFinite: new Uint8Array(rows),
    logitRounding: new Float64Array(rows),
    productMagnitude: new Float64Array(rows),
    valueMagnitude: new Float64Array(rows),
    lowestValue: new Float64Array(rows * valueDim).fill(bound.sinks ? 0 : Number.POSITIVE_INFINITY),
    highestValue: new Float64Array(rows * valueDim).fill(
      bound.sinks ? 0 : Number.NEGATIVE_INFINITY,
    ),
  };
  const logits = new Float64Array(keyLength);
  const products = new Float64Array(keyLength);
  const roundings = new Float64Array(keyLength);
  const point = { batch: 0, head: 0, query: 0, key: 0, queryIndex: 0, keyIndex: 0, score: 0 };
  for (const [number, sequence] of naiveSequences(problem, bound).entries()) {
    point.batch = number;
    for (let h = 0; h < queryHeads; h++) {
      point.head = h;
      const g = Math.floor((h * problem.kvHeads) / queryHeads);
      const sink = f(bound.sinks?.[h] ?? Number.NEGATIVE_INFINITY);
      const slope = f(bound.alibiSlopes?.[h] ?? 0);
      for (let i = 0; i < sequence.queries; i++) {
        const row = (sequence.entry * queryHeads + h) * queryLength + sequence.queryRow(i);
        const p = sequence.queryAt(i);
        const seen: number[] = [];
        for (let j = 0; j < sequence.keys; j++) {
          const at = sequence.keyAt(j);
          const inBand = p - left <= at && at <= p + right;
          if (!inBand && !result.scores) continue;
          const keyAt = sequence.keyRow(g, j) * headDim;
          const queryAt = row * headDim;
          const dot = single
            ? dotOfSingles(query, queryAt, key, keyAt, headDim)
            : dotOfDoubles(query, queryAt, key, keyAt, headDim);
          const magnitude = productMagnitude(query, queryAt, key, keyAt, headDim);
          const raw = held(f(scale * dot));
          const capped = softcap === null ? raw : held(f(softcap * f(Math.tanh(f(raw / softcap)))));
          let s = capped;
          const distance = bound.alibiSlopes ? f(slope * Math.abs(p - at)) : 0;
          const added = bias ? (bias[row * keyLength + j] as number) : 0;
          if (bias) s = held(f(s + added));
          if (bound.alibiSlopes) s = held(f(s - distance));
          point.query = p;
          point.key = at;
          point.queryIndex = i;
          point.keyIndex = j;
          let programmed = 0;
          let steepness = 1;
          if (scoreMod) {
            point.score = s;
            const given = scoreMod(point);
            programmed = given.rounding;
            steepness = Math.max(1, steepnessAt(scoreMod, point, s, given.value));
            s = held(given.value);
          }
          if (result.scores) {
            const kind = problem.returns.scores;
            result.scores[row * keyLength + j] =
              kind === "raw" ? raw : kind === "capped" ? capped : s;
            raise(result.productMagnitude, row, Math.abs(scale) * magnitude);
          }
          const attended = mask?.[row * keyLength + j] !== 0;
          // A bias of −∞ hides its key whatever the product is.
          const excluded = added === Number.NEGATIVE_INFINITY || s === Number.NEGATIVE_INFINITY;
          const shown = maskMod === null || maskMod(point).value === 1;
          if (inBand && attended && shown && isVisited(problem, blocks, point) && !excluded) {
            if (!Number.isFinite(s)) result.notFinite[row] |= logitNotFinite;
            logits[j] = s;
            seen.push(j);
            products[j] = steepness * Math.abs(scale) * magnitude;
            const swallowed = bias ? Math.abs(capped) + distance : Number.POSITIVE_INFINITY;
            roundings[j] = Number.isFinite(s)
              ? programmed +
                Math.max(steepness * u * Math.abs(raw), Math.min(u * Math.abs(s), swallowed))
              : u * (products[j] as number);
          }
        }
        let max = sink;
        for (const j of seen) max = Math.max(max, logits[j] as number);
        result.seesAny[row] = seen.length > 0 ? 1 : 0;
        if (max === Number.NEGATIVE_INFINITY) {
          result.logSumExp[row] = max;
          continue;
        }
        let sum = f(Math.exp(f(sink - max)));
        for (const j of seen) sum = f(sum + f(Math.exp(f((logits[j] as number) - max))));
        result.logSumExp[row] = f(max + f(Math.log(sum)));
        for (const j of seen) {
          if (!((logits[j] as number) < max - 104)) {
            raise(result.productMagnitude, row, products[j] as number);
            raise(result.logitRounding, row, roundings[j] as number);
          }
          const weight = stored(f(f(Math.exp(f((logits[j] as number) - max))) / sum));
          if (result.weights) result.weights[row * keyLength + j] = weight;
          if (result.visible) result.visible[row * keyLength + j] = 1;
          const valueAt = sequence.keyRow(g, j) * valueDim;
          addValues(result, row, value, valueAt, weight, single);
        }
        for (let c = 0; c < valueDim; c++) {
          result.output[row * valueDim + c] = stored(result.output[row * valueDim + c] as number);
        }
      }
    }
  }
  return result;
}

function dotOfSingles(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  length: number,
): number {
  let dot = 0;
  for (let c = 0; c < length; c++) {
    const product = Math.fround((a[atA + c] as number) * (b[atB + c] as number));
    dot = Math.fround(dot + product);
  }
  return dot;
}

function dotOfDoubles(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  length: number,
): number {
  let dot = 0;
  for (let c = 0; c < length; c++) dot += (a[atA + c] as number) * (b[atB + c] as number);
  return dot;
}

function productMagnitude(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  length: number,
): number {
  let sum = 0;
  for (let c = 0; c < length; c++) sum += Math.abs((a[atA + c] as number) * (b[atB + c] as number));
  return sum;
}

/** Adds the weighted values of one key to a row's output, and notes their extremes. */
function addValues(
  evaluation: NaiveEvaluation,
  row: number,
  value: Float64Array,
  valueAt: number,
  weight: number,
  single: boolean,
): void {
  const { output, lowestValue, highestValue, notFinite, valueMagnitude } = evaluation;
  const { valueDim } = evaluation.problem;
  let largest = valueMagnitude[row] as number;
  for (let c = 0; c < valueDim; c++) {
    const v = value[valueAt + c] as number;
    const at = row * valueDim + c;
    const sum = output[at] as number;
    output[at] = single ? Math.fround(sum + Math.fround(weight * v)) : sum + weight * v;
    const magnitude = Math.abs(v);
    if (magnitude > largest) largest = magnitude;
    if (v > (highestValue[at] as number)) highestValue[at] = v;
    if (v < (lowestValue[at] as number)) lowestValue[at] = v;
    if (!Number.isFinite(v)) (notFinite[row] as number) |= valueNotFinite;
  }
  valueMagnitude[row] = largest;
}

/** How much more than its score a program's value changes near a score. */
function steepnessAt(
  program: ReturnType<typeof naiveProgram>,
  point: ProgramPoint & { score: number },
  score: number,
  value: number,
): number {
  const step = 2 ** -10 * Math.max(1, Math.abs(score));
  point.score = score + step;
  const near = program(point).value;
  const steepness = Math.abs(near - value) / step;
  return Number.isFinite(steepness) ? steepness : 1;
}

/** Whether the block mask, if there is one, has the block of a query and a key. */
function isVisited(
  { blockMask }: AttentionProblem,
  blocks: Float64Array | null,
  { batch, head, queryIndex, keyIndex }: ProgramPoint,
): boolean {
  if (blockMask === null || blocks === null) return true;
  const [batches, heads, queries, keys] = blockMask.shape;
  const row = (batches === 1 ? 0 : batch) * heads + (heads === 1 ? 0 : head);
  const query = Math.floor(queryIndex / blockMask.queryBlock);
  const key = Math.floor(keyIndex / blockMask.keyBlock);
  return blocks[(row * queries + query) * keys + key] !== 0;
}

/** Elements of keys or values; those of int8 are rounded to the inputs' dtype once they have their scale. */
function dequantised(
  t: HostTensor,
  scales: HostTensor | null,
  rounded: (x: number) => number,
): Float64Array {
  const values = toFloat64(t);
  if (scales === null) return values;
  const size = t.shape[3] as number;
  const factors = toFloat64(scales);
  return values.map((x, at) => rounded(x * (factors[Math.floor(at / size)] as number)));
}

function raise(maxima: Float64Array, at: number, value: number): void {
  if (value > (maxima[at] as number)) maxima[at] = value;
}
