import { type ConformanceCase, ofProfile } from "../../../../run/case.js";
import type { CaseSpec } from "../../spec.js";

/** Two sequences of grouped heads, with sizes that hostile calls can spoil. */
export const storedCall: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 5,
  keyLength: 12,
  headDim: 8,
  returns: { logSumExp: true },
};

/** One query of each of three sequences against what a cache holds of them. */
export const decodeCall: CaseSpec = {
  batch: 3,
  queryHeads: 8,
  kvHeads: 2,
  queryLength: 1,
  keyLength: 64,
  headDim: 32,
  kvLengths: [64, 17, 1],
  causal: true,
  queryOffset: "bottom-right",
  returns: { logSumExp: true },
};

/** Cases of the profile `serving`, which run on uploaded tensors too. */
export function servingCases(
  specs: Readonly<Record<string, CaseSpec>>,
): readonly ConformanceCase[] {
  return ofProfile(
    "serving",
    Object.entries(specs).map(([name, spec]) => ({ id: `serving/${name}`, spec, resident: true })),
  );
}
