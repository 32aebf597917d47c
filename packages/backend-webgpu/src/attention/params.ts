import type { AttentionProblem } from "@heed/core";
import type { Fragment } from "../wgsl/emit.js";
import { type ParamsLayout, paramsLayout } from "../wgsl/params.js";

/** The parameters of every dispatch of attention. */
const fields = {
  /** Number of workgroups of the whole grid, and the first of this dispatch. */
  workgroups: "u32",
  firstWorkgroup: "u32",
  /** The grid: `[batches, heads, splits, slices, rowTiles]`, the last varies fastest. */
  rowTiles: "u32",
  slices: "u32",
  splits: "u32",
  heads: "u32",
  /** Start and end of the dispatch's part of the problem, in indices of the whole. */
  firstBatch: "u32",
  endBatch: "u32",
  firstHead: "u32",
  firstRow: "u32",
  endRow: "u32",
  firstKey: "u32",
  endKey: "u32",
  /** Keys of a split. */
  splitKeys: "u32",
  /** Tiles of keys start at multiples of it. */
  keyGrain: "u32",
  /**
   * Query heads whose rows stand one below the other in a grid head's `stack · queryLength` rows: 1,
   * or all heads of a group.
   */
  stack: "u32",
  group: "u32",
  /** Sizes of the whole problem. */
  batches: "u32",
  queryHeads: "u32",
  queryLength: "u32",
  keyLength: "u32",
  headDim: "u32",
  valueDim: "u32",
  /** Bits of {@link flags}. */
  flags: "u32",
  scale: "f32",
  softcap: "f32",
  /** Factor of weights where they multiply values: see `weightFactor`. */
  weightFactor: "f32",
  /** Strides in elements of batch, head, row and column; the base may wrap around below 0. */
  queryBase: "u32",
  queryBatch: "u32",
  queryHead: "u32",
  queryRow: "u32",
  queryColumn: "u32",
  keyBase: "u32",
  keyBatch: "u32",
  keyHead: "u32",
  keyRow: "u32",
  keyColumn: "u32",
  valueBase: "u32",
  valueBatch: "u32",
  valueHead: "u32",
  valueRow: "u32",
  valueColumn: "u32",
  maskBase: "u32",
  maskBatch: "u32",
  maskHead: "u32",
  maskRow: "u32",
  maskColumn: "u32",
  biasBase: "u32",
  biasBatch: "u32",
  biasHead: "u32",
  biasRow: "u32",
  biasColumn: "u32",
  /** Places of outputs: element c of split s of row r is at `base + r · row + s · split + c`. */
  outputBase: "u32",
  outputRow: "u32",
  outputSplit: "u32",
  statisticsBase: "u32",
  statisticsRow: "u32",
  statisticsSplit: "u32",
  matrixBase: "u32",
  /** Places of the parts that are merged, like those of outputs. */
  partialsBase: "u32",
  partialsRow: "u32",
  partialStatisticsBase: "u32",
  /** Parts to merge. */
  count: "u32",
} as const;

/** Further parameters where keys have scales, or are gathered from pages, ragged batches and positions. */
const readFields = {
  /** Strides of scales in elements. */
  keyScalesBase: "u32",
  keyScalesBatch: "u32",
  keyScalesHead: "u32",
  keyScalesRow: "u32",
  valueScalesBase: "u32",
  valueScalesBatch: "u32",
  valueScalesHead: "u32",
  valueScalesRow: "u32",
  /** Index in `rules` of the first item of the dispatch's list. */
  items: "u32",
  /** Parts that an item's keys are split into. */
  keyParts: "u32",
  /** Keys of a page. */
  pageSize: "u32",
} as const;

/** Further parameters where masks and scores are programs. */
const programFields = {
  /** Index in `rules` of the first vector of programs. */
  programs: "u32",
  /** Place of the map of tiles in `programs`, and the words between its rows. */
  map: "u32",
  mapBatch: "u32",
  mapHead: "u32",
  mapRow: "u32",
  /** Query rows of a row of the map where rows are numbered, and keys of a tile. */
  mapRows: "u32",
  mapKeys: "u32",
  /** Place of the block mask's bits in `programs`, the words between their rows, and the sizes of a block. */
  blocks: "u32",
  blocksBatch: "u32",
  blocksHead: "u32",
  blocksRow: "u32",
  blockQueries: "u32",
  blockKeys: "u32",
} as const;

export type ParamName = keyof typeof fields;
export type GatheredParamName = ParamName | keyof typeof readFields;
export type ProgramParamName = keyof typeof programFields;
/** Any parameter that a kernel of attention may have. */
export type AnyParamName = GatheredParamName | ProgramParamName;
export type Params = Readonly<Record<AnyParamName, number>>;

/** The rules that a problem has; those of {@link elementwise} concern single pairs of query and key. */
export const flags = {
  softcap: 1,
  bias: 2,
  alibi: 4,
  mask: 8,
  sinks: 16,
  logSumExp: 32,
  weights: 64,
  scores: 128,
  scoresCapped: 256,
  scoresBiased: 512,
  /** Statistics are those of a part of the keys: see `storeStatisticsFragment`. */
  partial: 1024,
} as const;

/** Rules of gathered keys, beside {@link flags}. */
export const gatheredFlags = {
  /** Keys are in pages. */
  pages: 2048,
  /** Positions of queries and keys are data. */
  positions: 4096,
} as const;

/** Rules with which every tile goes through the masking code. */
export const elementwise: number = flags.softcap | flags.bias | flags.alibi | flags.mask;

/** Bits of {@link flags} for the rules that kernels with programs have only if their problem has them. */
export function compiledRules({
  softcap,
  alibi,
}: Pick<AttentionProblem, "softcap" | "alibi">): number {
  return (softcap === null ? 0 : flags.softcap) | (alibi ? flags.alibi : 0);
}

/** The parameters as a uniform buffer. */
export const attentionParams: ParamsLayout<ParamName> = paramsLayout(fields);

export const gatheredParams: ParamsLayout<GatheredParamName> = paramsLayout({
  ...fields,
  ...readFields,
});

/** The parameters of kernels with programs. */
export const withPrograms: {
  readonly numbered: ParamsLayout<ParamName | ProgramParamName>;
  readonly gathered: ParamsLayout<AnyParamName>;
} = {
  numbered: paramsLayout({ ...fields, ...programFields }),
  gathered: paramsLayout({ ...fields, ...readFields, ...programFields }),
};

const constants = (bits: Readonly<Record<string, number>>): string =>
  Object.entries(bits)
    .map(([name, bit]) => `const flag_${name} = ${bit}u;`)
    .join("\n");

/** The bits of {@link gatheredFlags} as constants. */
export const gatheredFlagsFragment: Fragment = { wgsl: constants(gatheredFlags) };

/** The bits of {@link flags} as constants. */
export const flagsFragment: Fragment = {
  wgsl: `${constants(flags)}
const flags_elementwise = ${elementwise}u;`,
};
