import { describeProblem } from "@heed/core";
import { type ConformanceCase, caseInputs } from "../case.js";
import { featuresOf } from "../report/features.js";
import type { CaseResult } from "../report/report.js";
import type { CaseSpec } from "../spec.js";
import { mistakePrefix, mistakeSeparator } from "./explain.js";

/** What sets a case apart, in words that complete "cases with …". */
export function traitsOf(c: Pick<ConformanceCase, "id" | "spec">): string[] {
  const { spec } = c;
  const { keyLength = spec.queryLength, queryLength, headDim = 16 } = spec;
  const traits: string[] = featuresOf(describeProblem(caseInputs(c))).filter(
    (feature) => feature !== "float32",
  );
  for (const n of [4, 8, 16, 32, 64]) {
    if (keyLength % n !== 0 && keyLength > n)
      traits.push(`a last tile of ${n} keys that is not full`);
    if (keyLength > n) traits.push(`more than ${n} keys`);
    if (queryLength > n) traits.push(`more than ${n} queries`);
    if (headDim % n !== 0) traits.push(`a head size that ${n} does not divide`);
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

/** A mistake that explains failing cases. */
export interface CommonMistake {
  readonly mistake: string;
  /** Failing cases that it explains, of those that no mistake before it explains. */
  readonly cases: number;
}

/** The mistakes that explain most failing cases, one after another. */
export function commonMistakes(results: readonly CaseResult[]): CommonMistake[] {
  let explained = results
    .map(({ failures }) => failures.find((failure) => failure.startsWith(mistakePrefix)))
    .filter((failure) => failure !== undefined)
    .map((failure) => failure.slice(mistakePrefix.length).split(mistakeSeparator));
  const found: CommonMistake[] = [];
  while (explained.length > 0) {
    const counts = new Map<string, number>();
    for (const mistake of explained.flat()) counts.set(mistake, (counts.get(mistake) ?? 0) + 1);
    const [mistake, cases] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
    found.push({ mistake, cases });
    explained = explained.filter((mistakes) => !mistakes.includes(mistake));
  }
  return found;
}

/** A trait that failing cases have in common. */
export interface CommonTrait {
  readonly trait: string;
  /** Failing cases that have it, of those that no trait before it explains. */
  readonly failing: number;
  /** Passing cases that have it. */
  readonly passing: number;
}

/**
 * What failing cases have in common and passing ones lack: the traits that explain most, one after
 * another, each among the failures that those before it leave.
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
  while (failures.length > 0 && found.length < 4) {
    let best: CommonTrait | null = null;
    for (const trait of all) {
      const failing = failures.filter((result) => has(result, trait)).length;
      const passing = passes.filter((result) => has(result, trait)).length;
      // Four in five cases that have it fail: otherwise it explains little.
      if (failing < 2 || failing < 4 * passing) continue;
      if (best === null || failing - passing > best.failing - best.passing) {
        best = { trait, failing, passing };
      }
    }
    if (best === null) break;
    found.push(best);
    const { trait } = best;
    failures = failures.filter((result) => !has(result, trait));
  }
  return found;
}
