import { type Assignment, nameOf, possiblePairs } from "../../../calls/cover.js";
import { Random } from "../../../calls/random.js";
import { type ConformanceCase, ofProfile } from "../../../run/case.js";
import { compatible, factors, specOf } from "../pairwise/features.js";
import type { CaseSpec } from "../spec.js";
import { longestCaches } from "./edges.js";

const lengths = [1, 2, 3, 7, 8, 16, 17, 31, 33, 63, 64, 65, 97, 128, 129] as const;
const sizes = [1, 7, 8, 15, 16, 32, 59, 64, 80, 128] as const;
const heads = [
  [1, 1],
  [4, 2],
  [3, 1],
] as const;

/** Every query length with every key length, and every length with every head size. */
function shapes(): { id: string; spec: CaseSpec }[] {
  const ofLengths = lengths.flatMap((queryLength) =>
    lengths.map((keyLength) => ({
      id: `exhaustive/q${queryLength}-k${keyLength}`,
      spec: {
        queryHeads: 2,
        kvHeads: 1,
        queryLength,
        keyLength,
        causal: true,
        queryOffset: "bottom-right" as const,
        returns: { logSumExp: true },
      },
    })),
  );
  const ofSizes = sizes.flatMap((headDim) =>
    sizes.flatMap((valueDim) =>
      heads.map(([queryHeads, kvHeads]) => ({
        id: `exhaustive/d${headDim}-v${valueDim}-h${queryHeads}-${kvHeads}`,
        spec: { queryHeads, kvHeads, queryLength: 9, keyLength: 40, headDim, valueDim },
      })),
    ),
  );
  return [...ofLengths, ...ofSizes];
}

/**
 * Pairs of features again, each in random company, several times: triples and more meet by chance
 * that the covering rows of the profile `pairs` leave apart.
 */
function company(): { id: string; spec: CaseSpec }[] {
  const random = new Random("exhaustive");
  const found = new Map<string, CaseSpec>();
  for (const pair of possiblePairs(factors, compatible)) {
    const fixed = Object.fromEntries(pair.split(" ").map((part) => part.split("=")));
    const row = fill(fixed, random);
    if (row) found.set(`exhaustive/${nameOf(row, factors)}`, specOf(row));
  }
  return [...found].map(([id, spec]) => ({ id, spec }));
}

/** A random row that has the given values; `null` where chance finds none. */
function fill(fixed: Assignment, random: Random): Assignment | null {
  for (let attempt = 0; attempt < 50; attempt++) {
    const drawn = Object.entries(factors).map(([factor, values]) => [
      factor,
      values[Math.floor(random.uniform() * values.length)] as string,
    ]);
    const row = { ...Object.fromEntries(drawn), ...fixed };
    if (compatible(row)) return row;
  }
  return null;
}

/** The cases that only an exhaustive run includes: some thousands. */
export function exhaustiveCases(): readonly ConformanceCase[] {
  return [...ofProfile("core", shapes()), ...ofProfile("pairs", company()), ...longestCaches];
}
