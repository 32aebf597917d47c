/**
 * Selections of conformance cases for places that repeat a whole run: another JavaScript engine, or another
 * device. What such a place cannot change has been tested already. `HEED_TEST_SCOPE=all` selects
 * everything.
 */
import { type AnyCase, caseInputs, selectCases } from "@heed/conformance";
import type { CaseSelection } from "@heed/conformance/vitest";
import { type AttentionProblem, attentionFeaturesOf, describeProblem } from "@heed/core";

/**
 * How much runs. `""`, for `pnpm test`: each backend's whole suite in one place, and elsewhere what can
 * differ there. `"places"`: also what takes longer, on other devices. `"engine"`: what depends on the
 * version of Node. `"all"`: everything, everywhere.
 */
export type Scope = "" | "places" | "engine" | "all";

export const scope: Scope = (import.meta.env.HEED_TEST_SCOPE ?? "") as Scope;

export const inBrowser: boolean = "document" in globalThis;

/**
 * The whole suite in Node or in browsers, and what an engine can change in the other one. Runs that repeat
 * the tests on another version of Node take the part, too.
 */
export function wholeIn(place: "node" | "browser"): CaseSelection | undefined {
  if (scope === "all") return undefined;
  const here = inBrowser ? "browser" : "node";
  return here === place && scope !== "engine" ? undefined : engineCases;
}

/**
 * Cases whose outcome can depend on the JavaScript engine, if the backend is the same: the first profile, as
 * proof that everything is wired up, tensors of float16, which newer engines have an array type for,
 * and behaviours: memory, workers, order of events.
 */
export const engineCases: CaseSelection = (c) => {
  if (!("profile" in c)) return false;
  if (c.profile === "core" || c.profile === "behaviour") return true;
  return "spec" in c && (c.spec.dtype === "float16" || c.spec.bias?.dtype === "float16");
};

const problems = new WeakMap<AnyCase, AttentionProblem>();

/** The problem of a case, described once: making its inputs takes longer than anything else here. */
export function problemOf(c: AnyCase & Parameters<typeof caseInputs>[0]): AttentionProblem {
  let problem = problems.get(c);
  if (problem === undefined) {
    problem = describeProblem(caseInputs(c));
    problems.set(c, problem);
  }
  return problem;
}

/** Names what computes a problem: equal names mean that the same code runs with the same sizes. */
export type Signature = (problem: AttentionProblem) => string | Promise<string>;

/**
 * Cases that are computed by other code here than where the whole suite runs.
 *
 * @param here what computes a problem in this run
 * @param there what computes it in the whole run
 */
export function differing(here: Signature, there: Signature): CaseSelection {
  return async (c) => {
    if (!("spec" in c)) return false;
    const problem = problemOf(c);
    return (await here(problem)) !== (await there(problem));
  };
}

/** The first case for each way of computing that the suite leads to. */
export function oneOfEach(signature: Signature): CaseSelection | undefined {
  return withNewPieces(async (c) => [await signature(problemOf(c))]);
}

/**
 * The cases of single calls that are computed with a piece of code, or with a combination of pieces, that no
 * case before them was computed with.
 *
 * @param pieces names what computes a case
 */
export function withNewPieces(
  pieces: (c: SyntheticCase) => readonly string[] | Promise<readonly string[]>,
): CaseSelection | undefined {
  if (scope === "all") return undefined;
  const seen = new Set<string>();
  return async (c) => {
    if (!("spec" in c)) return false;
    const fresh = (await pieces(c)).filter((piece) => !seen.has(piece));
    for (const piece of fresh) seen.add(piece);
    return fresh.length > 0;
  };
}

/** Cases with a pair of features that no case before them had. */
export const everyPairOfFeatures: CaseSelection | undefined = withNewPieces((c) => {
  const features = attentionFeaturesOf(problemOf(c));
  return features.flatMap((one, i) => features.slice(i).map((other) => `${one}, ${other}`));
});

/** A case of one call that is made from a specification. */
export type SyntheticCase = Extract<AnyCase, { readonly spec: unknown }>;

/**
 * The cases of a selection that are computed by the same code as one of a few cases, and those that are no
 * single call. For places where other code takes long to compile and is tested by {@link oneOfEach}
 * with `HEED_TEST_SCOPE=places`.
 *
 * @param ids of the few cases
 */
export function sharing(
  selection: CaseSelection | undefined,
  signature: Signature,
  ids: readonly string[],
): CaseSelection | undefined {
  if (scope === "all") return selection;
  let few: Promise<ReadonlySet<string>> | undefined;
  const signatures = async (): Promise<ReadonlySet<string>> =>
    new Set(
      await Promise.all(
        selectCases().flatMap((c) =>
          "spec" in c && ids.includes(c.id) ? [signature(problemOf(c))] : [],
        ),
      ),
    );
  return async (c) => {
    if (selection && !(await selection(c))) return false;
    if (!("spec" in c)) return true;
    few ??= signatures();
    return (await few).has(await signature(problemOf(c)));
  };
}
