import fc from "fast-check";
import type { FeatureField } from "../features/feature.js";
import { drawnFeatures } from "../features/index.js";
import type { CaseSpec } from "../spec.js";

/** Every feature that random problems of a law may have, beside sizes and a query offset. */
export const everyFeature: readonly FeatureField[] = drawnFeatures.map(({ field }) => field);

/** Every feature but those given. */
export function everyFeatureBut(...left: readonly FeatureField[]): readonly FeatureField[] {
  return everyFeature.filter((field) => !left.includes(field));
}

/** Features that say nothing about positions: with those alone, keys have no order. */
export const unorderedFeatures: readonly FeatureField[] = drawnFeatures
  .filter(({ positional }) => !positional)
  .map(({ field }) => field);

/** Few sizes, so that a backend that compiles for each does not spend its time on that. */
const sizes = [
  [8, 8],
  [16, 16],
  [15, 15],
  [64, 24],
] as const;

const heads = [
  [1, 1],
  [2, 2],
  [4, 2],
  [3, 1],
] as const;

const shape = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  heads: fc.constantFrom(...heads),
  queryLength: fc.integer({ min: 1, max: 40 }),
  keyLength: fc.integer({ min: 1, max: 75 }),
  size: fc.constantFrom(...sizes),
  dtype: fc.constantFrom("float32" as const, "float32" as const, "float16" as const),
});

/**
 * Random calls as specs, which shrink towards one row of one head without features.
 *
 * @param allowed features that they may have; those in `always` they do have. An offset of the
 *   queries is always drawn: it says nothing where no rule asks for positions
 */
export function problems(
  allowed: readonly FeatureField[],
  always: Partial<CaseSpec> = {},
): fc.Arbitrary<CaseSpec> {
  const drawn = drawnFeatures.map(({ field, law }) =>
    field === "queryOffset" || allowed.includes(field) ? law.draw : fc.constant(undefined),
  );
  return fc.record({ shape, values: fc.tuple(...drawn) }).map(({ shape: s, values }): CaseSpec => {
    const { batch, queryLength, keyLength, dtype } = s;
    const [queryHeads, kvHeads] = s.heads;
    const [headDim, valueDim] = s.size;
    const own = { batch, queryHeads, queryLength, keyLength };
    const parts = drawnFeatures.map(({ field, law }, i) =>
      field === "queryOffset" || allowed.includes(field) ? law.toSpec(values[i] as never, own) : {},
    );
    return {
      ...own,
      kvHeads,
      headDim,
      valueDim,
      ...(dtype !== "float32" && { dtype }),
      ...Object.assign({}, ...parts),
      ...always,
      returns: { logSumExp: true, ...always.returns },
    };
  });
}
