import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  contiguous,
  describeProblem,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
  tensor,
} from "@heed/core";
import type { BlockMask } from "@heed/core/program";
import type { OnnxContext } from "../../context.js";
import { decideAttention } from "../decide.js";
import { StoredPlan } from "../stored/plan.js";
import { addedToVisits } from "./added.js";
import { maskOfVisits } from "./partial.js";
import { pagesOf, type Visits, visitsOf } from "./visits.js";

interface KnownVisits {
  readonly visits: Visits;
  readonly pageTable: HostTensor<"int32">;
}

/**
 * Calls whose block mask leaves few blocks: a block of queries of a head is a sequence of its own, and the blocks of keys
 * that it visits are its pages. Only logits of visited blocks exist then. Keys that a program hides within blocks are
 * hidden by a mask, for which only these blocks are evaluated.
 */
export class VisitedTiles {
  readonly #problem: AttentionProblem;
  readonly #context: OnnxContext;
  #plan: { readonly problem: AttentionProblem; readonly plan: StoredPlan } | null = null;
  #latest: {
    readonly blocks: BlockMask;
    readonly asks: "none" | "partial" | "all";
    readonly known: KnownVisits | null;
  } | null = null;

  /** @param problem that `suitsTiles` */
  constructor(problem: AttentionProblem, context: OnnxContext) {
    this.#problem = problem;
    this.#context = context;
  }

  /** Computes a call, or returns null where that is not possible or saves nothing. */
  run(bound: BoundAttention): Promise<AttentionOutputs> | null {
    const { blockMask, maskMod, reads } = bound;
    if (blockMask === null || reads.some((t: Tensor) => isDeviceTensor(t))) return null;
    const { blocks } = blockMask;
    // A program that has not made the block mask is to be asked of each key.
    const asks = maskMod === null ? "none" : blockMask.skipsProgram ? "partial" : "all";
    if (this.#latest?.blocks !== blocks || this.#latest.asks !== asks) {
      this.#latest = { blocks, asks, known: knownVisits(this.#problem, blocks, asks) };
    }
    const { known } = this.#latest;
    if (known === null) return null;
    const inputs = inputsOf(this.#problem, bound, known);
    if (inputs === null) return null;
    const plan = this.#planOf(describeProblem(inputs));
    return plan && this.#runPaged(plan, inputs, bound);
  }

  dispose(): void {
    this.#plan?.plan.dispose();
    this.#latest = null;
  }

  #planOf(problem: AttentionProblem): StoredPlan | null {
    if (this.#plan?.problem !== problem) {
      const verdict = decideAttention(problem, this.#context.loaded.traits);
      if (!("decision" in verdict)) return null;
      this.#plan?.plan.dispose();
      this.#plan = { problem, plan: new StoredPlan(problem, verdict.decision, this.#context) };
    }
    return this.#plan.plan;
  }

  async #runPaged(
    plan: StoredPlan,
    inputs: AttentionInputs<HostTensor>,
    bound: BoundAttention,
  ): Promise<AttentionOutputs> {
    const { problem } = bound;
    const outputs = await plan.run(
      attention.bind(describeProblem(inputs), inputs) as BoundAttention,
    );
    const { output, logSumExp } = outputs as AttentionOutputs<HostTensor>;
    const rows = [problem.batch, problem.queryHeads, problem.queryLength];
    return {
      output: shaped(output, [...rows, problem.valueDim]),
      ...(logSumExp && { logSumExp: shaped(logSumExp, rows) }),
    };
  }
}

function knownVisits(
  problem: AttentionProblem,
  blocks: BlockMask,
  asks: "none" | "partial" | "all",
): KnownVisits | null {
  const visits = visitsOf(problem, blocks, asks, hidesMore(problem) || addsNumbers(problem));
  if (visits === null) return null;
  const pages = pagesOf(problem, visits, blocks.shape[3] as number);
  return { visits, pageTable: tensor(pages, [visits.lengths.length, visits.width]) };
}

/** Whether something else than blocks and the mask program hides keys. */
function hidesMore({ mask, causal, window }: AttentionProblem): boolean {
  return mask !== null || causal || window !== null;
}

function addsNumbers({ bias, alibi, scoreMod }: AttentionProblem): boolean {
  return bias !== null || alibi || scoreMod !== null;
}

/** The same call with a sequence for each block of queries; null where it cannot be said so. */
function inputsOf(
  problem: AttentionProblem,
  bound: BoundAttention,
  { pageTable, visits }: KnownVisits,
): AttentionInputs<HostTensor> | null {
  const { inputs, query, key, value } = bound;
  const bias = addsNumbers(problem) ? addedToVisits(problem, bound, visits) : undefined;
  if (bias === null) return null;
  const { queryBlock, keyBlock } = problem.blockMask as NonNullable<AttentionProblem["blockMask"]>;
  const inBlocks = (t: Tensor, rows: number): HostTensor => {
    const whole = contiguous(t as HostTensor);
    const size = whole.shape[3] as number;
    const count =
      ((whole.shape[0] as number) * (whole.shape[1] as number) * (whole.shape[2] as number)) / rows;
    return shaped(whole, [count, 1, rows, size]);
  };
  return {
    ...(inputs as AttentionInputs<HostTensor>),
    query: inBlocks(query, queryBlock),
    key: inBlocks(key, keyBlock),
    value: inBlocks(value, keyBlock),
    maskMod: undefined,
    scoreMod: undefined,
    alibiSlopes: undefined,
    causal: undefined,
    window: undefined,
    bias,
    mask: undefined,
    blockMask: undefined,
    queryOffset: undefined,
    pageTable,
    kvLengths: visits.lengths,
    ...((visits.isAnyPartial || hidesMore(problem)) && {
      mask: maskOfVisits(problem, bound, visits),
    }),
  };
}

/** Row-major elements under another shape. */
function shaped<T extends HostTensor>(t: T, shape: readonly number[]): T {
  const { data, offset, dtype } = t;
  return tensor(data as Float32Array, shape, { dtype: dtype as "float32", offset }) as T;
}
