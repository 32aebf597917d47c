import { type AttentionProblem, type BroadcastInput, problemKey } from "../problem.js";
import { type Part, programVariables, type Range } from "./parts.js";

const sizeOf = ({ start, end }: Range): number => end - start;

/** Whether a part of a call has positions as data, and tables of which the call has none. */
export function partPositions(
  problem: AttentionProblem,
  part: Part,
): { readonly data: boolean; readonly queries: boolean; readonly keys: boolean } {
  const { positions } = problem;
  const apart = sizeOf(part.keys) < problem.keyLength;
  const used = programVariables(problem);
  // Offsets count from a part's first key; a program sees positions, which have to stay as they are.
  const converts = positions !== "data" && apart && (used.has("query") || used.has("key"));
  if (positions !== "data" && !converts) return { data: false, queries: false, keys: false };
  const rowsApart = sizeOf(part.rows) < problem.queryLength;
  return {
    data: true,
    queries: converts || (problem.queryPositions === null && rowsApart),
    keys: problem.keyPositions === null && (converts || apart),
  };
}

/** The problem of a part of a call: what describing the part's inputs gives. */
export function partProblem(problem: AttentionProblem, part: Part): AttentionProblem {
  const { pages, ragged, positions, kvLengths, sequences, blockMask } = problem;
  const batch = sizeOf(part.batch);
  const rows = sizeOf(part.rows);
  const keys = sizeOf(part.keys);
  const apart = keys < problem.keyLength;
  const firstKeys = part.keys.start === 0;
  const table = partPositions(problem, part);
  const ofBatch = (of: number | null): number | null => (of === null || of === 1 ? of : batch);
  const { operation, key: _, ...fields } = problem;
  const described = {
    ...fields,
    batch,
    queryHeads: sizeOf(part.heads),
    kvHeads: sizeOf(part.kvHeads),
    queryLength: rows,
    keyLength: keys,
    pages: pages && { ...pages, perSequence: keys / pages.size },
    sequences: ragged ? sequences : batch,
    mask: broadcastPart(problem.mask, part),
    bias: broadcastPart(problem.bias, part),
    blockMask: blockMask && {
      ...blockMask,
      shape: [
        Math.min(blockMask.shape[0], ragged ? sequences : batch),
        Math.min(blockMask.shape[1], sizeOf(part.heads)),
        ragged ? blockMask.shape[2] : Math.ceil(rows / blockMask.queryBlock),
        ragged ? blockMask.shape[3] : Math.ceil(keys / blockMask.keyBlock),
      ] as const,
    },
    positions: table.data
      ? ("data" as const)
      : // Each sequence has its own, since the first row or key of a part is not that of the call.
        positions === "bottom-right" && (apart || rows < problem.queryLength)
        ? ("per-batch" as const)
        : positions,
    queryPositions: table.queries ? batch : ofBatch(problem.queryPositions),
    keyPositions: table.keys ? 1 : ragged ? problem.keyPositions : ofBatch(problem.keyPositions),
    kvLengths,
    sinks: problem.sinks && firstKeys,
    returns: { ...problem.returns, logSumExp: problem.returns.logSumExp || apart },
  };
  return Object.freeze({ operation, key: problemKey(described), ...described });
}

function broadcastPart<D extends string>(
  given: BroadcastInput<D> | null,
  part: Part,
): BroadcastInput<D> | null {
  if (given === null) return null;
  const sizes = [part.batch, part.heads, part.rows, part.keys].map(sizeOf);
  const shape = given.shape.map((size, axis) => (size === 1 ? 1 : sizes[axis]));
  return { dtype: given.dtype, shape: shape as unknown as BroadcastInput<D>["shape"] };
}
