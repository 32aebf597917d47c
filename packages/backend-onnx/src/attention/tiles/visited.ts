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

/** Share of the blocks up to which those that are visited are read by themselves. */
const mostVisited = 0.5;

/** The blocks that each block of queries visits, as pages. */
interface Visits {
  /** `[sequences, key blocks]`: a sequence is a block of queries of a head. */
  readonly pageTable: HostTensor<"int32">;
  readonly lengths: Int32Array;
}

/**
 * Calls whose block mask leaves few blocks, and those whole: a block of queries of a head is a sequence of its own, and the
 * blocks of keys that it visits are its pages. Only logits of visited blocks exist then.
 */
export class VisitedTiles {
  readonly #problem: AttentionProblem;
  readonly #context: OnnxContext;
  #plan: { readonly problem: AttentionProblem; readonly plan: StoredPlan } | null = null;
  #latest: { readonly blocks: BlockMask; readonly visits: Visits | null } | null = null;

  /** @param problem that `suitsTiles` */
  constructor(problem: AttentionProblem, context: OnnxContext) {
    this.#problem = problem;
    this.#context = context;
  }

  /** Computes a call, or returns null where that is not possible or saves nothing. */
  run(bound: BoundAttention): Promise<AttentionOutputs> | null {
    const { blockMask, maskMod, query, key, value } = bound;
    if (blockMask === null || [query, key, value].some((t: Tensor) => isDeviceTensor(t)))
      return null;
    // A program that has not made the block mask is to be asked of each key.
    if (maskMod !== null && !blockMask.skipsProgram) return null;
    const { blocks } = blockMask;
    if (this.#latest?.blocks !== blocks) {
      this.#latest = { blocks, visits: visitsOf(this.#problem, blocks, maskMod !== null) };
    }
    const { visits } = this.#latest;
    if (visits === null) return null;
    const inputs = inputsOf(this.#problem, bound, visits);
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

/**
 * The blocks that blocks of queries visit.
 *
 * @param asks whether blocks that are not full have to be asked of a program
 * @returns null if one has to be, or if there are so many that visiting them alone saves nothing
 */
function visitsOf(problem: AttentionProblem, blocks: BlockMask, asks: boolean): Visits | null {
  const { batch, queryHeads, kvHeads } = problem;
  const [, , queries, keys] = blocks.shape;
  const { starts, first, end, full } = blocks.rows;
  const sequences = batch * queryHeads * queries;
  const table = new Int32Array(sequences * keys).fill(-1);
  const lengths = new Int32Array(sequences);
  let visited = 0;
  for (let s = 0; s < sequences; s++) {
    const q = s % queries;
    const h = Math.floor(s / queries) % queryHeads;
    const b = Math.floor(s / queries / queryHeads);
    const head = b * kvHeads + Math.floor((h * kvHeads) / queryHeads);
    const row = blocks.row(b, h, q);
    let at = s * keys;
    for (let n = starts[row] as number; n < (starts[row + 1] as number); n++) {
      if (asks && full[n] !== 1) return null;
      for (let k = first[n] as number; k < (end[n] as number); k++) table[at++] = head * keys + k;
    }
    const count = at - s * keys;
    visited += count;
    lengths[s] = count * blocks.keyBlock;
  }
  if (visited > mostVisited * sequences * keys) return null;
  return { pageTable: tensor(table, [sequences, keys]), lengths };
}

/** The same call with a sequence for each block of queries. */
function inputsOf(
  problem: AttentionProblem,
  { inputs, query, key, value }: BoundAttention,
  { pageTable, lengths }: Visits,
): AttentionInputs<HostTensor> {
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
    blockMask: undefined,
    queryOffset: undefined,
    pageTable,
    kvLengths: lengths,
  };
}

/** Row-major elements under another shape. */
function shaped<T extends HostTensor>(t: T, shape: readonly number[]): T {
  const { data, offset, dtype } = t;
  return tensor(data as Float32Array, shape, { dtype: dtype as "float32", offset }) as T;
}
