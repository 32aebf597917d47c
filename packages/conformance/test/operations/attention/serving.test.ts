import { caseInputs, cases } from "@heed/conformance";
import { attentionFeaturesOf, describeProblem } from "@heed/core";
import { describe, expect, test } from "vitest";
import { pairsIn, possiblePairs } from "../../../src/calls/cover.js";
import {
  canMeet,
  ownFactors,
  servingFactors,
  servingName,
  servingRows,
  servingSpec,
  wantedPairs,
} from "../../../src/operations/attention/pairwise/serving.js";

const plainest = (factor: string): string => servingFactors[factor]?.[0] as string;

describe("the pairs of the profile serving", () => {
  const met = new Set(servingRows.flatMap((row) => pairsIn(row, servingFactors)));

  test("have every pair of a new feature with any other, but for those that contradict each other", () => {
    const names = Object.keys(servingFactors);
    const missing: string[] = [];
    let count = 0;
    for (const [i, a] of names.entries()) {
      for (const b of names.slice(i + 1)) {
        for (const x of servingFactors[a] as readonly string[]) {
          for (const y of servingFactors[b] as readonly string[]) {
            const isNew =
              (ownFactors.includes(a) && x !== plainest(a)) ||
              (ownFactors.includes(b) && y !== plainest(b));
            if (!isNew) continue;
            if (met.has(`${a}=${x} ${b}=${y}`)) count += 1;
            else missing.push(`${x} + ${y}`);
          }
        }
      }
    }
    expect(missing.sort()).toMatchInlineSnapshot(`
      [
        "ahead + k-ring",
        "ahead + k-scattered",
        "ahead + p-scattered",
        "ahead + p-tree",
        "all + ragged",
        "behind + k-ring",
        "behind + k-scattered",
        "behind + p-scattered",
        "behind + p-tree",
        "bias-b1qk + ragged",
        "bias-bh11-float32 + ragged",
        "bias-bhqk + ragged",
        "bias-hqk + ragged",
        "bias-k + ragged",
        "bias-q1 + ragged",
        "biased + ragged",
        "bottom-right + k-ring",
        "bottom-right + k-scattered",
        "bottom-right + p-scattered",
        "bottom-right + p-tree",
        "capped + ragged",
        "float16 + kv-float16",
        "float64 + kv-float16",
        "float64 + kv-int8",
        "mask-b11k + ragged",
        "mask-b1q1 + ragged",
        "mask-bhqk + ragged",
        "mask-h1k + ragged",
        "mask-k + ragged",
        "mask-qk + ragged",
        "per-batch + k-ring",
        "per-batch + k-scattered",
        "per-batch + p-scattered",
        "per-batch + p-tree",
        "raw + ragged",
        "weights + ragged",
      ]
    `);
    expect(count).toBeGreaterThan(500);
  });

  test("have those that can meet in float32 in float32, and each dtype with each new feature", () => {
    expect(wantedPairs(canMeet).filter((pair) => !met.has(pair))).toEqual([]);
    const inFloat32 = new Set(
      servingRows
        .filter((row) => row.dtype === "float32")
        .flatMap((row) => pairsIn(row, servingFactors)),
    );
    const wanted = wantedPairs(canMeet).filter((pair) => !/dtype=float(16|64)/.test(pair));
    expect(wanted.filter((pair) => !inFloat32.has(pair))).toEqual([]);
  });

  test("make calls that have the features that their rows name", () => {
    for (const row of servingRows) {
      const id = `serving/pair-${servingName(row)}`;
      const problem = describeProblem(caseInputs({ id, spec: servingSpec(row) }));
      const features = attentionFeaturesOf(problem);
      const positions = problem.positions === "data";
      expect
        .soft([problem.kvDtype, problem.pages !== null, problem.ragged !== null, positions], id)
        .toEqual([
          row.kvDtype === "kv-same" ? row.dtype : row.kvDtype?.slice(3),
          row.pages !== "in-place",
          row.ragged !== "even",
          features.includes("query positions") || features.includes("key positions"),
        ]);
    }
  });

  test("are the same each time, with ids of their own", () => {
    const ids = cases.filter(({ profile }) => profile === "serving").map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(possiblePairs(servingFactors, canMeet).length).toBeGreaterThan(1500);
    expect(servingRows.length).toBeLessThan(70);
  });
});
