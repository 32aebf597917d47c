import { caseInputs, cases } from "@heed/conformance";
import { describeProblem } from "@heed/core";
import { describe, expect, test } from "vitest";
import {
  type Assignment,
  coverPairs,
  type Factors,
  nameOf,
  pairsIn,
  possiblePairs,
} from "../../../src/calls/cover.js";
import { pairRows } from "../../../src/operations/attention/cases/pairs.js";
import {
  compatible,
  factors,
  specOf,
} from "../../../src/operations/attention/pairwise/features.js";

describe("coverPairs", () => {
  const small: Factors = { a: ["a0", "a1", "a2"], b: ["b0", "b1"], c: ["c0", "c1", "c2"] };

  test("meets every pair that can meet, in few rows", () => {
    const rows = coverPairs(small, () => true);
    const met = new Set(rows.flatMap((row) => pairsIn(row, small)));
    expect(met.size).toBe(3 * 2 + 3 * 3 + 2 * 3);
    expect(rows.length).toBeLessThanOrEqual(11);
  });

  test("meets none that cannot, also where only a third value forbids it", () => {
    // a0 needs b0, and b0 forbids c2: so a0 never meets c2.
    const allowed = (row: Assignment) =>
      !(row.a === "a0" && row.b === "b1") && !(row.b === "b0" && row.c === "c2");
    const rows = coverPairs(small, allowed);
    const met = new Set(rows.flatMap((row) => pairsIn(row, small)));
    expect([...met].sort()).toEqual(possiblePairs(small, allowed).sort());
    expect(met).not.toContain("a=a0 c=c2");
    expect(rows.every(allowed)).toBe(true);
  });
});

describe("the pairs profile", () => {
  const met = new Set(pairRows.flatMap((row) => pairsIn(row, factors)));

  test("has every pair of features, but for those that contradict each other", () => {
    const names = Object.keys(factors);
    const missing: string[] = [];
    let count = 0;
    for (const [i, a] of names.entries()) {
      for (const b of names.slice(i + 1)) {
        for (const x of factors[a] as readonly string[]) {
          for (const y of factors[b] as readonly string[]) {
            if (met.has(`${a}=${x} ${b}=${y}`)) count += 1;
            else missing.push(`${x} + ${y}`);
          }
        }
      }
    }
    expect(missing.sort()).toMatchInlineSnapshot(`
      [
        "cross + packed",
        "d59v24 + packed",
        "d59v24 + shared",
        "d8v40 + packed",
        "d8v40 + shared",
        "decode + packed",
        "packed + shared",
        "poisoned + all",
        "poisoned + biased",
        "poisoned + capped",
        "poisoned + raw",
        "tall + packed",
      ]
    `);
    expect(count).toBeGreaterThan(1500);
  });

  test("has every pair that has nothing to do with dtypes in float32 already", () => {
    const rows = pairRows.filter((row) => row.dtype === "float32");
    const inFloat32 = new Set(rows.flatMap((row) => pairsIn(row, factors)));
    const wanted = possiblePairs(factors, compatible).filter(
      (pair) => !/dtype=float(16|64)/.test(pair),
    );
    expect(wanted.filter((pair) => !inFloat32.has(pair))).toEqual([]);
  });

  test("is the same each time, with ids that stay and say what is in a case", () => {
    const ids = cases.filter(({ profile }) => profile === "pairs").map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(pairRows.map((row) => `pairs/${nameOf(row, factors)}`));
    expect(ids.length).toBeLessThan(130);
  });

  test("makes calls that have the features that their rows name", () => {
    for (const row of pairRows) {
      const id = `pairs/${nameOf(row, factors)}`;
      const p = describeProblem(caseInputs({ id, spec: specOf(row) }));
      expect
        .soft([p.dtype, p.causal, p.alibi, p.sinks, p.softcap !== null, p.kvLengths], id)
        .toEqual([
          row.dtype,
          row.causal === "causal",
          row.alibi === "alibi",
          row.sinks === "sinks",
          row.softcap === "softcap",
          row.kvLengths !== "all",
        ]);
      expect
        .soft([p.mask !== null, p.bias !== null, p.window !== null], id)
        .toEqual([row.mask !== "unmasked", row.bias !== "unbiased", row.window !== "unbounded"]);
    }
  });
});

test("ids of all cases are unique", () => {
  expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
});
