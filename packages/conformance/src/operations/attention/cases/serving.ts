import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import { servingFeatures } from "../features/serving/index.js";
import { servingName, servingRows, servingSpec } from "../pairwise/serving.js";

/** Stored keys and values, pages, ragged batches and positions as data: alone, and with everything else. */
export const servingCases: readonly ConformanceCase[] = [
  ...servingFeatures.flatMap((feature) => feature.cases),
  ...ofProfile(
    "serving",
    servingRows.map((row) => ({
      id: `serving/pair-${servingName(row)}`,
      spec: servingSpec(row),
      resident: true,
    })),
  ),
];
