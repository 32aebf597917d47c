import type { Profile } from "@heed/conformance";
import { contiguous, isContiguous, roundTo, toFloat64 } from "@heed/core";
import { at, type Call, type Place, type Steps, steps } from "./attention.js";
import type { PublishedName } from "./published.js";

/** A bug in one step. */
export interface NumberMutant {
  /** What is wrong, as a sentence's end: "a backend in which …". */
  readonly name: string;
  /** Where it was shipped. */
  readonly published?: PublishedName;
  /** The cases to look for it in. */
  readonly profile: Profile;
  readonly steps: Partial<Steps>;
}

/** Keys of the full tiles of `n` keys only. */
const fullTiles = (n: number, tile: number): number => n - (n % tile);

const lowest = -3.4028234663852886e38;

/** Rounded to 10 bits after the first, with float32's range. */
function tf32(x: number | undefined): number {
  const bits = new Uint32Array(Float32Array.of(x ?? 0).buffer);
  bits[0] = ((bits[0] as number) + 0x1000) & ~0x1fff;
  return new Float32Array(bits.buffer)[0] as number;
}

/** Where an element would be if nothing were broadcast. */
function asIfFull({ b, h, i }: Place, j: number, { problem: p, bound }: Call): number {
  const { bias } = bound;
  if (bias === null) return 0;
  const flat = ((b * p.queryHeads + h) * p.queryLength + i) * p.keyLength + j;
  return bias.data.length > flat
    ? (toFloat64({ ...bias, shape: [1], strides: [1], offset: flat })[0] as number)
    : 0;
}

export const numberMutants: readonly NumberMutant[] = [
  // 1. Scaled dot product.
  {
    name: "an explicit scale is ignored",
    profile: "core",
    steps: { scaled: (dot, { problem }) => dot / Math.sqrt(problem.headDim) },
  },
  {
    name: "the scale follows the value's head size",
    profile: "core",
    steps: {
      scaled: (dot, { problem }) =>
        dot * problem.scale * Math.sqrt(problem.headDim / problem.valueDim),
    },
  },
  {
    name: "grouped heads are interleaved instead of blocked",
    profile: "core",
    steps: { keyHead: (h, { problem }) => h % problem.kvHeads },
  },
  {
    name: "the last element of a head is skipped where its size is odd",
    profile: "core",
    steps: {
      dot: (query, q, key, k, size) => steps.dot(query, q, key, k, size - (size % 2)),
    },
  },
  // 2. Softcap.
  {
    name: "softcap is ignored",
    profile: "core",
    published: "sglang#33915",
    steps: { capped: (s) => s },
  },
  {
    name: "softcap comes after the bias",
    profile: "masks",
    steps: {
      capped: (s) => s,
      biased: (s, place, j, call) => steps.capped(steps.biased(s, place, j, call), call),
    },
  },
  {
    name: "softcap comes before the scale",
    profile: "core",
    steps: {
      scaled: (dot) => dot,
      capped: (s, call) => call.problem.scale * steps.capped(s, call),
    },
  },
  // 3. Bias and ALiBi.
  {
    name: "the bias is scaled",
    profile: "masks",
    steps: { bias: (place, j, call) => call.problem.scale * steps.bias(place, j, call) },
  },
  {
    name: "a broadcast bias is read as if it were full",
    profile: "masks",
    published: "onnxruntime#26766",
    steps: { bias: asIfFull },
  },
  {
    name: "a bias of one head and several batches is read as that of batch 0",
    profile: "masks",
    published: "onnxruntime#24017",
    steps: {
      bias: (place, j, call) =>
        steps.bias(call.problem.bias?.shape[1] === 1 ? { ...place, b: 0 } : place, j, call),
    },
  },
  {
    name: "ALiBi is signed",
    profile: "masks",
    steps: {
      alibi: ({ h, p }, j, { bound }) =>
        bound.alibiSlopes ? (bound.alibiSlopes[h] as number) * (p - j) : 0,
    },
  },
  {
    name: "ALiBi knows nothing of the query offset",
    profile: "masks",
    steps: { alibi: (place, j, call) => steps.alibi({ ...place, p: place.i }, j, call) },
  },
  {
    name: "ALiBi takes the slopes of the key heads",
    profile: "masks",
    steps: {
      alibi: (place, j, call) =>
        steps.alibi({ ...place, h: steps.keyHead(place.h, call) }, j, call),
    },
  },
  // 4. Visibility.
  {
    name: "the last key is skipped",
    profile: "core",
    steps: { length: (b, call) => Math.max(0, steps.length(b, call) - 1) },
  },
  {
    name: "the keys of the last tile are skipped unless it is full",
    profile: "core",
    steps: {
      length: (b, call) => {
        const n = steps.length(b, call);
        return n > 64 ? fullTiles(n, 64) : n;
      },
    },
  },
  {
    name: "the second half of every 32 keys is skipped",
    profile: "core",
    published: "onnxruntime#28520",
    steps: { inBand: (place, j, call) => j % 32 < 16 && steps.inBand(place, j, call) },
  },
  {
    name: "one key past kvLengths is seen",
    profile: "decode",
    steps: {
      length: (b, call) => Math.min(call.problem.keyLength, steps.length(b, call) + 1),
    },
  },
  {
    name: "kvLengths of batch 0 serve all batches",
    profile: "decode",
    steps: { length: (_, call) => steps.length(0, call) },
  },
  {
    name: "the mask of head 0 serves all heads",
    profile: "masks",
    steps: { attends: (place, j, call) => steps.attends({ ...place, h: 0 }, j, call) },
  },
  {
    name: "a mask that heads share hides keys of head 0 only",
    profile: "masks",
    published: "burn#4778",
    steps: {
      attends: (place, j, call) =>
        (place.h > 0 && call.problem.mask?.shape[1] === 1) || steps.attends(place, j, call),
    },
  },
  {
    name: "the mask is that of the key head",
    profile: "core",
    steps: {
      attends: (place, j, call) =>
        steps.attends({ ...place, h: steps.keyHead(place.h, call) }, j, call),
    },
  },
  {
    name: "a masked key has the lowest float32 as its logit",
    profile: "masks",
    steps: {
      attends: () => true,
      biased: (s, place, j, call) =>
        steps.attends(place, j, call) ? steps.biased(s, place, j, call) : lowest,
    },
  },
  {
    name: "the mask of batch 0 serves all batches",
    profile: "masks",
    steps: { attends: (place, j, call) => steps.attends({ ...place, b: 0 }, j, call) },
  },
  {
    name: "the mask is turned around",
    profile: "masks",
    steps: {
      attends: (place, j, call) => call.bound.mask === null || !steps.attends(place, j, call),
    },
  },
  {
    name: "a query does not see its own key",
    profile: "core",
    steps: {
      inBand: (place, j, call) =>
        steps.inBand(place, j, call) && !(call.problem.causal && j === place.p),
    },
  },
  {
    name: "causal is always aligned to the top left",
    profile: "masks",
    published: "onnxruntime#29020",
    steps: { position: (_, i) => i },
  },
  {
    name: "causal is always aligned to the bottom right",
    profile: "masks",
    published: "onnxruntime#29020",
    steps: {
      position: (b, i, call) => i + (call.bound.kvLengths[b] as number) - call.problem.queryLength,
    },
  },
  {
    name: "a negative query offset counts as 0",
    profile: "masks",
    steps: {
      position: (b, i, call) => i + Math.max(0, steps.position(b, 0, call)),
    },
  },
  {
    name: "the query offset of batch 0 serves all batches",
    profile: "masks",
    steps: { position: (_, i, call) => steps.position(0, i, call) },
  },
  {
    name: "a window's left end is exclusive",
    profile: "masks",
    steps: {
      inBand: (place, j, call) =>
        steps.inBand(place, j, call) && place.p - j !== (call.problem.window?.left ?? null),
    },
  },
  {
    name: "a window's right end is exclusive",
    profile: "masks",
    steps: {
      inBand: (place, j, call) =>
        steps.inBand(place, j, call) &&
        j - place.p !== (call.problem.causal ? null : (call.problem.window?.right ?? null)),
    },
  },
  {
    name: "a window needs causal to count",
    profile: "masks",
    steps: {
      inBand: (place, j, call) => !call.problem.causal || steps.inBand(place, j, call),
    },
  },
  {
    name: "−∞ in a bias is an ordinary number",
    profile: "masks",
    steps: {
      visible: () => true,
      max: (max) => (max === -Infinity ? -1e30 : max),
      logSumExp: (m, s) => m + Math.log(s),
    },
  },
  {
    name: "a bias of the lowest float32 hides its key",
    profile: "masks",
    steps: { visible: (s) => s > lowest },
  },
  // 5. Softmax.
  {
    name: "a row whose every bias is the lowest float32 gives NaN",
    profile: "masks",
    steps: { max: (max) => (max <= lowest && Number.isFinite(max) ? Number.NaN : max) },
  },
  {
    name: "the running maximum starts at −10³⁰",
    profile: "masks",
    steps: { max: (max) => (max === Number.NEGATIVE_INFINITY ? max : Math.max(max, -1e30)) },
  },
  {
    name: "weights come from the rounded log-sum-exp",
    profile: "masks",
    steps: {
      weight: (logit, max, sum) => Math.exp(logit - Math.fround(max + Math.log(sum))),
    },
  },
  {
    name: "the sink is scaled",
    profile: "masks",
    steps: { sink: (place, call) => call.problem.scale * steps.sink(place, call) },
  },
  {
    name: "the sink is capped",
    profile: "masks",
    steps: { sink: (place, call) => steps.capped(steps.sink(place, call), call) },
  },
  {
    name: "sinks are those of the key heads",
    profile: "masks",
    steps: {
      sink: (place, call) => steps.sink({ ...place, h: steps.keyHead(place.h, call) }, call),
    },
  },
  {
    name: "the maximum is not subtracted",
    profile: "numerics",
    steps: { max: (max) => (max === Number.NEGATIVE_INFINITY ? max : 0) },
  },
  {
    name: "a row without keys gives NaN",
    profile: "masks",
    steps: { empty: { output: Number.NaN, logSumExp: Number.NEGATIVE_INFINITY } },
  },
  {
    name: "a row without keys has a log-sum-exp of 0",
    profile: "masks",
    steps: { empty: { output: 0, logSumExp: 0 } },
  },
  // 6. Outputs.
  {
    name: "the log-sum-exp is in base 2",
    profile: "core",
    steps: { logSumExp: (max, sum) => (max + Math.log(sum)) / Math.LN2 },
  },
  {
    name: "the log-sum-exp forgets the maximum",
    profile: "core",
    steps: { logSumExp: (_, sum) => Math.log(sum) },
  },
  {
    name: "raw scores are returned where capped ones are wanted",
    profile: "core",
    steps: {
      score: (raw, capped, biased, call) =>
        call.problem.returns.scores === "capped" ? raw : steps.score(raw, capped, biased, call),
    },
  },
  {
    name: "biased scores lack ALiBi",
    profile: "pairs",
    steps: {
      score: (raw, capped, biased, call) =>
        call.problem.alibi && call.problem.returns.scores === "biased"
          ? capped
          : steps.score(raw, capped, biased, call),
    },
  },
  // Numbers and memory.
  {
    name: "queries and keys are multiplied with the 10 bits of tensor cores",
    profile: "core",
    steps: {
      dot: (query, q, key, k, size) => {
        let sum = 0;
        for (let c = 0; c < size; c++) sum += tf32(query[q + c]) * tf32(key[k + c]);
        return sum;
      },
    },
  },
  {
    name: "the exponential has 17 good bits",
    profile: "core",
    steps: {
      weight: (logit, max, sum) =>
        (Math.exp(logit - max) / sum) * (1 + 2 ** -18 * Math.sin(1e4 * logit)),
    },
  },
  {
    name: "the exponential of float64 has 45 good bits",
    profile: "numerics",
    steps: {
      weight: (logit, max, sum) =>
        (Math.exp(logit - max) / sum) * (1 + 2 ** -46 * Math.sin(1e4 * logit)),
    },
  },
  {
    name: "logits are float16",
    profile: "core",
    steps: { biased: (s, place, j, call) => roundTo("float16", steps.biased(s, place, j, call)) },
  },
  {
    name: "a hidden NaN is multiplied by a weight of 0",
    profile: "numerics",
    steps: { readsHidden: true },
  },
  {
    name: "accumulators are float16",
    profile: "numerics",
    steps: { add: (sum, weight, value) => roundTo("float16", sum + weight * value) },
  },
  {
    name: "float64 is computed in float32",
    profile: "numerics",
    steps: { store: Math.fround },
  },
  {
    name: "subnormal numbers are flushed to 0, on a CPU",
    profile: "numerics",
    steps: { store: (x) => (Math.abs(x) < 2 ** -126 ? 0 : x) },
  },
  {
    name: "strides are ignored",
    profile: "core",
    steps: {
      read: (t) => (isContiguous(t) ? toFloat64(t) : toFloat64({ ...contiguous(t), data: t.data })),
    },
  },
  {
    name: "an offset into the data is ignored",
    profile: "core",
    steps: { read: (t) => toFloat64({ ...t, offset: 0 }) },
  },
  // Pairs: each feature alone is right.
  {
    name: "sinks are ignored beside a window that is not causal",
    published: "flashinfer#1752",
    profile: "pairs",
    steps: {
      sink: (place, call) =>
        call.problem.window !== null && !call.problem.causal
          ? Number.NEGATIVE_INFINITY
          : steps.sink(place, call),
    },
  },
  {
    name: "softcap is ignored beside sinks",
    published: "flashinfer#4976",
    profile: "pairs",
    steps: { capped: (s, call) => (call.problem.sinks ? s : steps.capped(s, call)) },
  },
  {
    name: "the window is ignored beside a mask",
    published: "flashinfer#4976",
    profile: "pairs",
    steps: {
      inBand: ({ p }, j, call) =>
        call.problem.mask === null
          ? steps.inBand({ b: 0, h: 0, i: 0, p }, j, call)
          : !call.problem.causal || j <= p,
    },
  },
  {
    name: "a mask of keys is read without its strides beside kvLengths",
    published: "flashinfer#4976",
    profile: "pairs",
    steps: {
      attends: (place, j, call) => {
        const { mask } = call.bound;
        if (mask === null || !call.problem.kvLengths) return steps.attends(place, j, call);
        return at({ ...mask, strides: [0, 0, 0, 1] }, 0, 0, 0, j) !== 0;
      },
    },
  },
  {
    name: "ALiBi is ignored for grouped heads in decode",
    published: "flashinfer#4976",
    profile: "pairs",
    steps: {
      alibi: (place, j, call) => {
        const { queryHeads, kvHeads, queryLength } = call.problem;
        return queryLength === 1 && queryHeads !== kvHeads ? 0 : steps.alibi(place, j, call);
      },
    },
  },
];
