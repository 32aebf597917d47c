import { attentionFeaturesOf, describeProblem } from "@heed/core";
import type { CaseResult } from "../../../report/report.js";
import type { ConformanceCase } from "../../../run/case.js";
import { caseInputs } from "../build/inputs.js";
import type { CaseSpec } from "../spec.js";

/** Sizes that tiles, vectors and subgroups have: powers of two first, since they come first in a tie. */
const moduli: readonly number[] = [4, 8, 16, 32, 64, 128, ...multiplesOf4()];

function multiplesOf4(): number[] {
  const all = Array.from({ length: 31 }, (_, i) => 4 * (i + 1));
  return all.filter((n) => (n & (n - 1)) !== 0);
}

/** The properties that distinguish a case, in words that complete "cases with …". */
export function traitsOf(c: Pick<ConformanceCase, "id" | "spec">): string[] {
  const { spec } = c;
  const { keyLength = spec.queryLength, queryLength, headDim = 16, valueDim = headDim } = spec;
  const traits: string[] = attentionFeaturesOf(describeProblem(caseInputs(c))).filter(
    (feature) => feature !== "float32",
  );
  for (const n of moduli) {
    if (keyLength % n !== 0 && keyLength > n) {
      traits.push(`more than ${n} keys, and no multiple of ${n}`);
    }
    if (queryLength % n !== 0 && queryLength > n) {
      traits.push(`more than ${n} queries, and no multiple of ${n}`);
    }
    if (keyLength > n) traits.push(`more than ${n} keys`);
    if (queryLength > n) traits.push(`more than ${n} queries`);
    if (headDim % n !== 0) traits.push(`a head size that ${n} does not divide`);
    if (valueDim % n !== 0) traits.push(`a value size that ${n} does not divide`);
    if (headDim > n) traits.push(`a head size over ${n}`);
  }
  if ((spec.batch ?? 1) > 1) traits.push("more than one batch");
  if (queryLength > keyLength) traits.push("more queries than keys");
  if (queryLength === 0 || keyLength === 0) traits.push("no queries or no keys");
  if (spec.layout && spec.layout !== "bhld") traits.push("strides that are not row-major");
  if (spec.scale !== undefined) traits.push("an explicit scale");
  if (offsetIsNegative(spec)) traits.push("a negative query offset");
  if (Array.isArray(spec.queryOffset)) traits.push("a query offset for each batch");
  if (spec.poison) traits.push("NaN or large numbers in hidden keys");
  return traits;
}

function offsetIsNegative({
  queryOffset,
  queryLength,
  keyLength = queryLength,
}: CaseSpec): boolean {
  if (queryOffset === "bottom-right") return keyLength < queryLength;
  return [queryOffset ?? 0].flat().some((offset) => Number(offset) < 0);
}

/** A trait that failing cases have in common. */
export interface CommonTrait {
  readonly trait: string;
  /** Failing cases that have it, of those that no trait before it explains. */
  readonly failing: number;
  /** Passing cases that have it. */
  readonly passing: number;
}

/** Cases with a trait that must fail for each one that passes: otherwise it explains little. */
const against = 4;

/**
 * Traits that failing cases have in common and passing ones lack. Chosen greedily: each trait explains
 * the most of the failures that the traits before it leave unexplained.
 *
 * @param traits of a case, by its id
 */
export function commonTraits(
  results: readonly CaseResult[],
  traits: ReadonlyMap<string, readonly string[]>,
): CommonTrait[] {
  const of = (outcome: string): CaseResult[] =>
    results.filter((result) => result.outcome === outcome && traits.has(result.id));
  const passes = of("pass");
  let failures = of("fail");
  const has = (result: CaseResult, trait: string): boolean =>
    traits.get(result.id)?.includes(trait) ?? false;
  const all = new Set(failures.flatMap(({ id }) => traits.get(id) ?? []));
  const found: CommonTrait[] = [];
  // A case that passes says more against a cause than one that fails says for it.
  const weight = ({ failing, passing }: CommonTrait): number => failing - against * passing;
  while (failures.length > 0 && found.length < 4) {
    let best: CommonTrait | null = null;
    for (const trait of all) {
      const failing = failures.filter((result) => has(result, trait)).length;
      const passing = passes.filter((result) => has(result, trait)).length;
      const one = { trait, failing, passing };
      if (failing < 2 || weight(one) < 0) continue;
      if (best === null || weight(one) > weight(best)) best = one;
    }
    if (best === null) break;
    found.push(best);
    const { trait } = best;
    failures = failures.filter((result) => !has(result, trait));
  }
  return found;
}
