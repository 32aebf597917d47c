import type { Problem } from "../operation/problem.js";
import { guarded } from "../options.js";
import type { ProgramForm } from "../program/form.js";
import type { FloatDType } from "../tensor/dtype.js";
import type { AttentionInputs, AttentionOutputs, ScoresKind } from "./inputs.js";

/**
 * How a mask or bias broadcasts: its shape, right-aligned to rank 4, in which each axis is 1 or the
 * full size of `[batch, queryHeads, queryLength, keyLength]`.
 */
export interface BroadcastInput<D extends string> {
  readonly dtype: D;
  readonly shape: readonly [number, number, number, number];
}

/**
 * The rule that places query rows on the key axis. `"none"`: no rule needs positions. `"fixed"`: the same for
 * each sequence, a number given at each run. `"bottom-right"`: from the lengths. `"per-batch"`: an
 * integer a sequence, given at each run. `"data"`: each query row or key has an integer of its own, given
 * at each run. The integers themselves are data, not part of the problem, so that a decode loop keeps
 * its plan.
 */
export type PositionRule = "none" | "fixed" | "bottom-right" | "per-batch" | "data";

/** Element type in which keys and values are stored; int8 has scales beside it. */
export type KvDType = FloatDType | "int8";

/** Keys and values in pages: `[count, kvHeads, size, headDim]`. */
export interface PageSizes {
  /** Pages that key and value have. */
  readonly count: number;
  /** Keys of a page. */
  readonly size: number;
  /** Entries of the page table for each sequence: keyLength is `perSequence · size`. */
  readonly perSequence: number;
}

/** Which axes of a ragged batch hold sequences one after another. */
export interface RaggedAxes {
  readonly queries: true;
  /** false: each sequence has keys of its own in pages. */
  readonly keys: boolean;
}

/** Sizes of a block mask; its blocks are data. */
export interface BlockMaskShape {
  readonly queryBlock: number;
  readonly keyBlock: number;
  /** `[batch or 1, queryHeads or 1, query blocks, key blocks]`. */
  readonly shape: readonly [number, number, number, number];
}

/**
 * The validated, canonical description of a call. It holds no data. Equal problems have equal keys,
 * and a plan made for one serves every call of the other.
 */
export interface AttentionProblem extends Problem<AttentionInputs, AttentionOutputs> {
  readonly operation: "attention";
  readonly batch: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  /** Query rows; of all sequences together in a ragged batch. */
  readonly queryLength: number;
  /** Keys of a batch entry; of all sequences together with ragged keys; `perSequence · size` in pages. */
  readonly keyLength: number;
  /** Size of a query and a key, ≥ 1. */
  readonly headDim: number;
  /** Size of a value, ≥ 1. */
  readonly valueDim: number;
  /** Element type of query, output, weights and scores. */
  readonly dtype: FloatDType;
  /** Element type of key and value. int8 comes with float32 scales, one a token and head. */
  readonly kvDtype: KvDType;
  /** `null`: keys and values are `[batch, kvHeads, keyLength, headDim]`. */
  readonly pages: PageSizes | null;
  /** `null`: each batch entry is one sequence. Otherwise batch is 1. */
  readonly ragged: RaggedAxes | null;
  /** Rows of lengths, offsets and page table: batch, unless the batch is ragged. */
  readonly sequences: number;
  readonly mask: BroadcastInput<"bool"> | null;
  readonly bias: BroadcastInput<FloatDType> | null;
  readonly causal: boolean;
  /** The canonical form of the program that hides keys; `null` for none. */
  readonly maskMod: ProgramForm<"mask"> | null;
  /** The canonical form of the program on scores; `null` for none. */
  readonly scoreMod: ProgramForm<"score"> | null;
  readonly blockMask: BlockMaskShape | null;
  /** `null` on a side is unbounded; the whole is `null` when both sides are. */
  readonly window: { readonly left: number | null; readonly right: number | null } | null;
  readonly positions: PositionRule;
  /** Rows of the table of query positions, 1 or batch; `null`: their positions are `i + offset`. */
  readonly queryPositions: number | null;
  /** Rows of the table of key positions, 1 or sequences; `null`: their positions are j. */
  readonly keyPositions: number | null;
  /** Whether lengths of the keys are given at each run, one a sequence. */
  readonly kvLengths: boolean;
  readonly alibi: boolean;
  readonly sinks: boolean;
  readonly scale: number;
  /** > 0, or `null` for no cap. */
  readonly softcap: number | null;
  readonly returns: {
    readonly logSumExp: boolean;
    readonly weights: boolean;
    readonly scores: ScoresKind | null;
  };
}

/** A problem's cache key, from all of its fields. */
export function problemKey(problem: Omit<AttentionProblem, "key" | "operation" | "types">): string {
  const p = problem;
  const broadcast = (b: BroadcastInput<string> | null) =>
    b ? `${b.dtype}[${b.shape.join(",")}]` : "-";
  return [
    p.dtype,
    `b${p.batch}`,
    `h${p.queryHeads}/${p.kvHeads}`,
    `l${p.queryLength}/${p.keyLength}`,
    `d${p.headDim}/${p.valueDim}`,
    `mask:${broadcast(p.mask)}`,
    `bias:${broadcast(p.bias)}`,
    p.causal ? "causal" : "-",
    p.window ? `window:${p.window.left ?? "*"},${p.window.right ?? "*"}` : "-",
    `pos:${p.positions}`,
    p.kvLengths ? "kvLengths" : "-",
    p.alibi ? "alibi" : "-",
    p.sinks ? "sinks" : "-",
    `scale:${p.scale}`,
    `cap:${p.softcap ?? "-"}`,
    `lse:${p.returns.logSumExp ? 1 : 0}`,
    `weights:${p.returns.weights ? 1 : 0}`,
    `scores:${p.returns.scores ?? "-"}`,
    ...storageKey(p),
    ...programsKey(p),
  ].join(" ");
}

/** Parts of a key that only calls with programs or a block mask have. */
function programsKey(
  p: Pick<AttentionProblem, "maskMod" | "scoreMod" | "blockMask">,
): readonly string[] {
  const { maskMod, scoreMod, blockMask } = p;
  return [
    ...(maskMod ? [maskMod.key] : []),
    ...(scoreMod ? [scoreMod.key] : []),
    ...(blockMask
      ? [`blocks:${blockMask.queryBlock}/${blockMask.keyBlock}[${blockMask.shape.join(",")}]`]
      : []),
  ];
}

/** Parts of a key that most problems lack. */
function storageKey(p: Omit<AttentionProblem, "key" | "operation" | "types">): string[] {
  const { pages, ragged } = p;
  const parts: string[] = [];
  if (p.kvDtype !== p.dtype) parts.push(`kv:${p.kvDtype}`);
  if (pages) parts.push(`pages:${pages.count}x${pages.size}/${pages.perSequence}`);
  if (ragged) parts.push(`ragged:${ragged.keys ? "queries,keys" : "queries"}/${p.sequences}`);
  if (p.queryPositions !== null) parts.push(`queryPositions:${p.queryPositions}`);
  if (p.keyPositions !== null) parts.push(`keyPositions:${p.keyPositions}`);
  return parts;
}

/** Options of a call that need no data. */
type ProblemOptions = Pick<AttentionInputs, "causal" | "window" | "scale" | "softcap" | "returns">;

/**
 * The options of a call that a problem says by itself, without any data.
 *
 * @throws InvalidInputError for what is no problem of attention
 */
export const optionsOf: (problem: AttentionProblem) => ProblemOptions = guarded(
  "problem",
  ({ causal, window, scale, softcap, returns }) => ({
    ...(causal && { causal }),
    ...(window && { window: { left: window.left ?? undefined, right: window.right ?? undefined } }),
    scale,
    ...(softcap !== null && { softcap }),
    returns: {
      logSumExp: returns.logSumExp,
      weights: returns.weights,
      scores: returns.scores ?? undefined,
    },
  }),
);

/**
 * A key that problems share whose lengths lie between the same powers of two: lengths grow with
 * every step of a decode loop, while what is fastest changes slowly.
 *
 * @throws InvalidInputError for what is no problem of attention
 */
export const lengthClassKey: (problem: AttentionProblem) => string = guarded(
  "problem",
  (problem) => {
    const up = (length: number): number =>
      length > 1 ? 2 ** Math.ceil(Math.log2(length)) : length;
    const broadcast = <D extends string>(b: BroadcastInput<D> | null): BroadcastInput<D> | null => {
      if (b === null) return null;
      const [batch, heads, queries, keys] = b.shape;
      return { dtype: b.dtype, shape: [batch, heads, up(queries), up(keys)] };
    };
    const { pages, ragged } = problem;
    const blocks = (sizes: BlockMaskShape | null): BlockMaskShape | null => {
      if (sizes === null) return null;
      const [batch, heads, queries, keys] = sizes.shape;
      return { ...sizes, shape: [batch, heads, up(queries), up(keys)] };
    };
    return problemKey({
      ...problem,
      queryLength: up(problem.queryLength),
      keyLength: up(problem.keyLength),
      pages: pages && {
        count: up(pages.count),
        size: pages.size,
        perSequence: up(pages.perSequence),
      },
      sequences: ragged ? up(problem.sequences) : problem.sequences,
      mask: broadcast(problem.mask),
      bias: broadcast(problem.bias),
      blockMask: blocks(problem.blockMask),
    });
  },
);
