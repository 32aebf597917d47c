import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import { maskPrograms, scorePrograms } from "../build/programs.js";
import { programName, programRows, programSpec } from "../pairwise/programs.js";
import type { CaseSpec } from "../spec.js";

/** Tokens of images of 6 × 6, of areas and of documents. */
const base: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 36,
  headDim: 8,
  returns: { logSumExp: true },
};
const long = { ...base, batch: 1, queryLength: 150, keyLength: 210, queryOffset: 60 } as const;
const cross = { ...base, queryLength: 7, keyLength: 30, queryOffset: 23 } as const;
const blocks = { queryBlock: 8, keyBlock: 8 } as const;
/** Lengths of whole blocks, which a backend may visit by themselves where few are left. */
const whole = { ...base, queryLength: 64, keyLength: 96 } as const;
const wholeBlocks = { queryBlock: 16, keyBlock: 32 } as const;

const special: Readonly<Record<string, CaseSpec>> = {
  "mask-decode": { ...base, queryLength: 1, keyLength: 70, queryOffset: 69, maskMod: "window" },
  "mask-negative-offset": { ...base, queryOffset: -9, maskMod: "documents" },
  "mask-offsets": { ...cross, queryOffset: [3, 20], maskMod: "causal" },
  "mask-bottom-right": {
    ...cross,
    queryOffset: "bottom-right",
    kvLengths: [30, 9],
    maskMod: "causal",
  },
  "mask-without-offset": { ...base, queryLength: 7, keyLength: 30, maskMod: "causal" },
  "mask-beside-flags": {
    ...long,
    causal: true,
    window: { left: 40 },
    mask: { shape: [4, 1, 210] },
    bias: { shape: [150, 210], holes: "-inf" },
    alibi: true,
    sinks: true,
    maskMod: "bigBird",
    scoreMod: "bias-of-distance",
  },
  "mask-sinks-empty-rows": { ...base, sinks: true, maskMod: "empty-rows" },
  "mask-halves-of-heads-long": { ...long, maskMod: "halves-of-heads" },
  "mask-float64": { ...base, dtype: "float64", maskMod: "documents", scoreMod: "capped" },
  "mask-float16": { ...base, dtype: "float16", maskMod: "documents", scoreMod: "capped" },
  "mask-poison": { ...base, maskMod: "prefix", poison: "NaN" },
  "mask-poison-infinity": { ...base, maskMod: "dilated", causal: true, poison: "infinity" },
  "mask-poison-nothing": { ...base, maskMod: "nothing", poison: "NaN" },
  "mask-poison-blocks": {
    ...long,
    maskMod: "window",
    blockMask: { queryBlock: 16, keyBlock: 32 },
    poison: "NaN",
  },
  "mask-weights": {
    ...cross,
    maskMod: "by-head-and-batch",
    scoreMod: "clamped",
    returns: { logSumExp: true, weights: true, scores: "biased" },
  },
  "score-raw-scores": { ...cross, scoreMod: "alibi", returns: { scores: "raw" } },
  "score-capped-scores": { ...cross, scoreMod: "alibi", returns: { scores: "capped" } },
  // The program may make a finite score of a bias of −∞; the key is hidden all the same.
  "score-biased-scores": {
    ...cross,
    bias: { shape: [7, 30], holes: "-inf" },
    scoreMod: "clamped",
    returns: { logSumExp: true, scores: "biased" },
  },
  "score-decode": {
    ...cross,
    queryLength: 1,
    queryOffset: 29,
    scoreMod: "bias-of-distance",
  },
  // Keys of several tiles.
  "score-decode-long": {
    ...cross,
    queryLength: 1,
    keyLength: 300,
    queryOffset: 299,
    scoreMod: "alibi",
  },
  "score-tiles": {
    ...base,
    batch: 1,
    queryLength: 9,
    keyLength: 200,
    headDim: 64,
    scoreMod: "by-batch",
  },
  // A tile that begins one tile of keys later and holds one key.
  "score-one-key-more": {
    ...long,
    keyLength: 67,
    queryOffset: 0,
    scoreMod: "bias-of-distance",
    blockMask: { queryBlock: 50, keyBlock: 66, data: "11qk", share: 1 },
  },
  "score-hides-poison": { ...base, causal: true, scoreMod: "hides", poison: "NaN" },
  "blocks-long": { ...long, maskMod: "window", blockMask: { queryBlock: 32, keyBlock: 64 } },
  "blocks-of-1": { ...cross, maskMod: "documents", blockMask: { queryBlock: 1, keyBlock: 1 } },
  "blocks-odd": { ...long, maskMod: "dilated", blockMask: { queryBlock: 23, keyBlock: 37 } },
  "blocks-wide": { ...long, maskMod: "causal", blockMask: { queryBlock: 7, keyBlock: 128 } },
  "blocks-tall": { ...long, maskMod: "causal", blockMask: { queryBlock: 128, keyBlock: 5 } },
  "blocks-bigbird": { ...long, maskMod: "bigBird", blockMask: blocks },
  "blocks-empty": { ...base, maskMod: "nothing", blockMask: blocks },
  "blocks-full": { ...base, maskMod: "everything", blockMask: blocks },
  "blocks-data": { ...long, blockMask: { queryBlock: 16, keyBlock: 16, data: "full" } },
  "blocks-data-of-heads": { ...base, blockMask: { ...blocks, data: "1hqk" } },
  "blocks-data-of-batches": { ...base, blockMask: { ...blocks, data: "b1qk" } },
  "blocks-data-shared": { ...base, blockMask: { ...blocks, data: "11qk" } },
  "blocks-data-few": { ...whole, blockMask: { ...wholeBlocks, data: "full", share: 0.3 } },
  "blocks-data-few-shared": {
    ...whole,
    dtype: "float16",
    scale: 0.3,
    blockMask: { ...wholeBlocks, data: "11qk", share: 0.3 },
  },
  "blocks-data-few-poison": {
    ...whole,
    poison: "NaN",
    blockMask: { ...wholeBlocks, data: "b1qk", share: 0.3 },
  },
  "blocks-data-beside-program": {
    ...base,
    maskMod: "documents",
    blockMask: { ...blocks, data: "full" },
  },
  "blocks-data-weights": {
    ...cross,
    blockMask: { queryBlock: 3, keyBlock: 4, data: "full" },
    returns: { logSumExp: true, weights: true, scores: "raw" },
  },
  "blocks-data-poison": {
    ...base,
    blockMask: { queryBlock: 36, keyBlock: 9, data: "full" },
    poison: "NaN",
  },
  "ragged-programs": {
    ...base,
    batch: 3,
    ragged: { queries: [9, 0, 20], keys: [12, 4, 36] },
    queryOffset: "bottom-right",
    maskMod: "by-head-and-batch",
    scoreMod: "by-batch",
  },
  "ragged-blocks": {
    ...base,
    batch: 3,
    ragged: { queries: [9, 0, 20], keys: [12, 4, 36] },
    queryOffset: "bottom-right",
    maskMod: "documents",
    scoreMod: "by-batch",
    blockMask: { queryBlock: 4, keyBlock: 8 },
  },
  "ragged-blocks-data": {
    ...base,
    batch: 3,
    ragged: { queries: [36, 5, 17], keys: [20, 36, 36] },
    kvLengths: [13, 36, 36],
    blockMask: { queryBlock: 7, keyBlock: 5, data: "full" },
  },
  // Longer than any sequence, and the same for all.
  "ragged-blocks-data-shared": {
    ...base,
    batch: 3,
    ragged: { queries: [3, 11, 8], keys: [30, 2, 17] },
    blockMask: { queryBlock: 5, keyBlock: 6, data: "1hqk" },
  },
  "ragged-blocks-few": {
    ...whole,
    batch: 3,
    ragged: { queries: [64, 32, 48], keys: [64, 96, 40] },
    causal: true,
    queryOffset: [0, 64, -5],
    sinks: true,
    blockMask: { ...wholeBlocks, data: "b1qk", share: 0.3 },
  },
  "ragged-positions-blocks": {
    ...base,
    batch: 3,
    queryPositions: { order: "tree" },
    keyPositions: { order: "ring" },
    ragged: { queries: [9, 36, 20], keys: [12, 4, 36] },
    maskMod: "causal",
    scoreMod: "alibi",
    blockMask: blocks,
  },
  "ragged-pages-blocks": {
    ...base,
    batch: 3,
    pages: { size: 4 },
    kvLengths: [36, 17, 5],
    ragged: { queries: [1, 17, 5] },
    queryOffset: "bottom-right",
    kvDtype: "int8",
    maskMod: "window",
    blockMask: blocks,
    poison: "NaN",
  },
  "pages-programs": {
    ...base,
    pages: { size: 4 },
    kvLengths: [36, 17],
    maskMod: "documents",
    scoreMod: "alibi",
    blockMask: blocks,
  },
  // Fewer keys of the first entry have positions than of the second.
  "positions-programs-lengths": {
    ...base,
    kvLengths: [3, 36],
    keyPositions: { order: "ring", one: true },
    maskMod: "window",
  },
  "positions-programs": {
    ...base,
    queryPositions: { order: "tree" },
    keyPositions: { order: "ring" },
    maskMod: "causal",
    scoreMod: "alibi",
    blockMask: blocks,
  },
};

const specs: Readonly<Record<string, CaseSpec>> = {
  ...Object.fromEntries(
    Object.keys(maskPrograms).flatMap((maskMod): [string, CaseSpec][] => [
      [`mask-${maskMod}`, { ...(maskMod === "tree" ? cross : base), maskMod }],
      [
        `mask-${maskMod}-blocks`,
        { ...(maskMod === "tree" ? cross : base), maskMod, blockMask: blocks },
      ],
    ]),
  ),
  ...Object.fromEntries(
    Object.keys(scorePrograms).map((scoreMod) => [`score-${scoreMod}`, { ...base, scoreMod }]),
  ),
  ...special,
};

/** Masks and scores as programs, and block masks: alone, in adversity, and with everything else. */
export const programCases: readonly ConformanceCase[] = ofProfile("programs", [
  ...Object.entries(specs).map(([name, spec]) => ({ id: `programs/${name}`, spec })),
  ...programRows.map((row) => ({
    id: `programs/pair-${programName(row)}`,
    spec: programSpec(row),
    resident: true,
  })),
]);
