import { type AttentionProblem, type FloatDType, type HostTensor, keyHeadOf } from "@heed/core";
import { isFixed } from "../../runtime/native-data.js";
import type { Shape, TileCall } from "./call.js";
import type { VisitGroup } from "./groups.js";

/** Keys of a block at least: gathering shorter ones takes as long as JavaScript does. */
const leastKeys = 16;

/** Blocks of keys that the visits of a group read. */
export interface KeyBlocks {
  /** Keys of a block. */
  readonly size: number;
  /** The blocks of each head of each visit, among those of all batch entries and heads: `[visits, key heads, blocks]`. */
  readonly indices: Int32Array;
  readonly shape: readonly [number, number, number];
}

/** The blocks of groups, for graphs that gather keys and values themselves. */
export class GroupBlocks {
  readonly #known = new WeakMap<VisitGroup, KeyBlocks | null>();

  /** @returns null where the graph is to be given the keys of each visit */
  of({ problem, bound }: TileCall, group: VisitGroup, dtype: FloatDType): KeyBlocks | null {
    const isPacked = (t: HostTensor): boolean => {
      const [ofEntry, ofHead, ofRow, ofElement] = t.strides as Shape;
      const [, heads, length, size] = t.shape as unknown as Shape;
      return (
        t.dtype === dtype &&
        isFixed(t.data.buffer) &&
        ofElement === 1 &&
        ofRow === size &&
        ofHead === length * size &&
        (problem.batch === 1 || ofEntry === heads * ofHead)
      );
    };
    if (problem.pages !== null || problem.ragged !== null) return null;
    if (!isPacked(bound.key as HostTensor) || !isPacked(bound.value as HostTensor)) return null;
    const known = this.#known.get(group);
    if (known !== undefined) return known;
    const blocks = blocksOf(problem, group);
    this.#known.set(group, blocks);
    return blocks;
  }
}

/** The longest blocks of which all visits read whole ones; null where they are short. Pure. */
export function blocksOf(
  problem: Pick<AttentionProblem, "queryHeads" | "kvHeads" | "keyLength">,
  { visits, heads, keys }: VisitGroup,
): KeyBlocks | null {
  const { kvHeads, keyLength } = problem;
  let size = divisor(keyLength, keys);
  for (const { parts } of visits) {
    for (const { first, end } of parts) size = divisor(divisor(size, first), end);
  }
  if (size < leastKeys) return null;
  const each = keys / size;
  const indices = new Int32Array(visits.length * heads.keys * each);
  let at = 0;
  for (const { sequence, head, parts } of visits) {
    const firstHead = sequence * kvHeads + keyHeadOf(problem, head);
    for (let h = firstHead; h < firstHead + heads.keys; h++) {
      const start = at;
      for (const { first, end } of parts) {
        for (let j = first; j < end; j += size) indices[at++] = (h * keyLength + j) / size;
      }
      // For keys that the visit lacks one that it has, so that nothing is read that no row sees.
      indices.fill(indices[start] as number, at, start + each);
      at = start + each;
    }
  }
  return { size, indices, shape: [visits.length, heads.keys, each] };
}

/** The largest number that divides both. */
function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
