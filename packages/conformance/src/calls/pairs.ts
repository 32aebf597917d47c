import {
  type Assignment,
  coverPairs,
  type Factors,
  nameOf,
  pairsIn,
  possiblePairs,
} from "./cover.js";

/** Factors of a call: of each its values by name, the plainest first, as the part of a spec that they are. */
export type SpecFactors<Spec> = Readonly<Record<string, Readonly<Record<string, Partial<Spec>>>>>;

/**
 * Specs in which each pair of values meets, by the names of their values that are not plain.
 *
 * @param compatible whether values can be together; once it says no, it must say no for every longer row
 * @param isCommon whether a value is one that every backend computes: pairs of such values also meet in
 *   rows without any other value, so that a backend that refuses the others loses none of them
 */
export function pairedSpecs<Spec>(
  factors: SpecFactors<Spec>,
  compatible: (row: Assignment) => boolean,
  isCommon: (value: string) => boolean,
): (readonly [name: string, spec: Spec])[] {
  const names: Factors = Object.fromEntries(
    Object.entries(factors).map(([factor, values]) => [factor, Object.keys(values)]),
  );
  const common = (row: Assignment): boolean =>
    compatible(row) && Object.values(row).every(isCommon);
  const rows = coverPairs(names, compatible);
  const met = new Set(rows.filter(common).flatMap((row) => pairsIn(row, names)));
  const missing = possiblePairs(names, common).filter((pair) => !met.has(pair));
  return [...rows, ...coverPairs(names, common, missing)].map((row) => {
    const parts = Object.entries(row).map(([factor, value]) => factors[factor]?.[value]);
    return [nameOf(row, names), Object.assign({}, ...parts) as Spec];
  });
}
