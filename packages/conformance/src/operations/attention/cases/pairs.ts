import { type Assignment, coverPairs, nameOf, possiblePairs } from "../../../calls/cover.js";
import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import { compatible, factors, otherDTypes, specOf } from "../pairwise/features.js";

/**
 * Rows in which each pair of features meets. A backend that refuses a dtype would lose the pairs that
 * meet in that dtype only: so all the others meet in float32, and each other dtype meets each feature.
 */
function makeRows(): Assignment[] {
  const inFloat32 = (a: Assignment): boolean =>
    compatible(a) && (a.dtype ?? "float32") === "float32";
  const pairs = possiblePairs(factors, compatible);
  const inOther = otherDTypes.flatMap((dtype) => {
    const wanted = pairs.filter((pair) => pair.includes(`dtype=${dtype}`));
    return coverPairs(factors, compatible, wanted);
  });
  return [...coverPairs(factors, inFloat32), ...inOther];
}

export const pairRows: readonly Assignment[] = makeRows();

/**
 * Calls in which each pair of features meets somewhere. A kernel that handles a mask, and handles
 * grouped heads, may still not handle the two together (flashinfer#4976 lists such pairs).
 */
export const pairCases: readonly ConformanceCase[] = ofProfile(
  "pairs",
  pairRows.map((row) => ({ id: `pairs/${nameOf(row, factors)}`, spec: specOf(row) })),
);
