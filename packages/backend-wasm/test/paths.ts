/** Which cases of the suite other builds and more threads can change. */
import type { CaseSelection } from "@heed/conformance/vitest";
import { attentionFeaturesOf } from "@heed/core";
import { problemOf, type SyntheticCase, withNewPieces } from "../../../test/select.js";
import { planProblem, type SharingLimits } from "../src/attention/plan.js";

/** Elements of a tile that the build for relaxed SIMD works best with; whole tiles differ little by it. */
const tileElements = 8192;

/**
 * Names the ways through the kernels that a case takes, one for each of its features: the kernel, how it reads and
 * converts, whether threads share it, whether parts are merged.
 */
function pathsOf(c: SyntheticCase, threads: number, sharing: SharingLimits): string[] {
  const problem = problemOf(c);
  const plan = planProblem(problem, { ...sharing, threads, batchInvariant: false, tileElements });
  const { kernel, splits, unitKeyHeads } = plan;
  const { dtype, kvDtype, headDim, valueDim } = problem;
  const shared = plan.threads > 1;
  const vectors = [headDim % 4 === 0, valueDim % 4 === 0];
  const path = [kernel, dtype, kvDtype, vectors, shared, splits > 1, unitKeyHeads > 1].join();
  return attentionFeaturesOf(problem).map((feature) => `${path} ${feature}`);
}

/**
 * Cases for a place that repeats the whole run of another build: every pair of features, and cases that take a way through the kernels with a feature that no case before had there. All that is no single
 * call: laws, behaviours, other operations.
 *
 * @param sharing when threads share a problem there
 */
export function newPaths(threads: number, sharing: SharingLimits): CaseSelection | undefined {
  const fresh = withNewPieces((c) => pathsOf(c, threads, sharing));
  return (
    fresh &&
    (async (c) => {
      const isNew = await fresh(c);
      return isNew || ("profile" in c && (!("spec" in c) || c.profile === "pairs"));
    })
  );
}
