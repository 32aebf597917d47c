import type { BoundAttention } from "@heed/core";
import type { BoundProgram } from "@heed/core/program";
import type { CallRuns } from "./runs.js";

type Numbers = ArrayLike<number>;

/** Elements of tables that are copied to be compared; of larger ones nothing is kept. */
const mostElements = 2 ** 20;

/** The runs of the last call of a plan, for the next one that has the same program data, block mask and positions. */
export class RunCache {
  #facts: readonly Numbers[] | null = null;
  #runs: CallRuns | null = null;

  /** @param make finds the runs of a call that differs from the last one */
  take(bound: BoundAttention, make: () => CallRuns): CallRuns {
    // Units of a ragged batch are in an order of their own.
    if (bound.problem.ragged) return make();
    const facts = factsOf(bound);
    const { length } = this.#facts ?? [];
    if (length === facts.length && facts.every((list, n) => same(list, this.#facts?.[n] ?? []))) {
      return this.#runs as CallRuns;
    }
    this.#runs = make();
    const total = facts.reduce((sum, list) => sum + list.length, 0);
    // Copies, since the caller may change what it gave.
    this.#facts = total <= mostElements ? facts.map((list) => Float64Array.from(list)) : null;
    return this.#runs;
  }
}

/** Everything about a call on which its runs depend, beside the problem. */
function factsOf(bound: BoundAttention): readonly Numbers[] {
  const { maskMod, blockMask, offsets, queryPositions, keyPositions, kvLengths } = bound;
  const longest = kvLengths.reduce((most, length) => Math.max(most, length), 0);
  const rows = blockMask?.blocks.rows;
  return [
    [longest, blockMask?.skipsProgram ? 1 : 0],
    offsets,
    queryPositions ?? [],
    keyPositions ?? [],
    ...(rows ? [rows.starts, rows.first, rows.end, rows.full] : []),
    ...programFacts(maskMod),
  ];
}

function programFacts(program: BoundProgram | null): readonly Numbers[] {
  if (program === null) return [];
  const { tables, scalars } = program;
  return [scalars, ...tables.flatMap(({ shape, data }) => [shape, data])];
}

function same(a: Numbers, b: Numbers): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
