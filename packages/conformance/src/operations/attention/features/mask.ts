import fc from "fast-check";
import type { CallFeature, Part, Sizes } from "./feature.js";

const mask =
  (shape: (sizes: Sizes) => readonly number[]): Part =>
  (sizes) => ({ mask: { shape: shape(sizes) } });

/** Whether a broadcast input has each of the four axes in full. */
export const axes: fc.Arbitrary<readonly boolean[]> = fc.tuple(
  fc.boolean(),
  fc.boolean(),
  fc.boolean(),
  fc.boolean(),
);

/** A shape `[batch, heads, queries, keys]` with 1 in place of the axes that are not in full. */
export function broadcastShape(full: readonly boolean[], sizes: Sizes): number[] {
  const { batch, queryHeads, queryLength, keyLength } = sizes;
  return [batch, queryHeads, queryLength, keyLength].map((size, axis) => (full[axis] ? size : 1));
}

/** A boolean mask of any shape that broadcasts. */
export const masks: CallFeature = {
  field: "mask",
  isArgument: false,
  positional: false,
  rarity: 0,
  factors: {
    mask: {
      unmasked: {},
      "mask-k": mask(({ keyLength }) => [keyLength]),
      "mask-qk": mask(({ queryLength, keyLength }) => [queryLength, keyLength]),
      "mask-h1k": mask(({ queryHeads, keyLength }) => [queryHeads, 1, keyLength]),
      "mask-b11k": mask(({ batch, keyLength }) => [batch, 1, 1, keyLength]),
      "mask-b1q1": mask(({ batch, queryLength }) => [batch, 1, queryLength, 1]),
      "mask-bhqk": mask((s) => [s.batch, s.queryHeads, s.queryLength, s.keyLength]),
    },
  },
  law: {
    draw: fc.option(axes, { nil: undefined }),
    toSpec: (full: readonly boolean[] | undefined, sizes) =>
      full ? { mask: { shape: broadcastShape(full, sizes) } } : {},
  },
  variations: {
    "a mask of keys": { mask: { shape: [21] } },
    "a mask of rows": { mask: { shape: [9, 21] } },
    "a mask of batches": { mask: { shape: [2, 1, 1, 21] } },
    "a mask of heads": { mask: { shape: [4, 1, 21] } },
  },
  everything: { mask: { shape: [2, 1, 37, 71] } },
  valid: { mask: { shape: [2, 4, 5, 7] } },
  wrong: {},
  cases: [],
};
