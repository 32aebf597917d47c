import { caseInputs, cases } from "@heed/conformance";
import { attentionFeaturesOf, describeProblem, referenceAttention } from "@heed/core";
import { expect, test } from "vitest";
import { pairsIn } from "../../../src/calls/cover.js";
import { naiveAttention } from "../../../src/operations/attention/judge/naive.js";
import {
  programFactors,
  programName,
  programRows,
  programSpec,
  wantedProgramPairs,
} from "../../../src/operations/attention/pairwise/programs.js";

test("the pairs of the profile programs are all that can be", () => {
  const met = new Set(programRows.flatMap((row) => pairsIn(row, programFactors)));
  expect(wantedProgramPairs().filter((pair) => !met.has(pair))).toEqual([]);
  expect(wantedProgramPairs().length).toBeGreaterThan(800);
  expect(programRows.length).toBeLessThan(60);
});

test("calls have the features that their rows name", () => {
  for (const row of programRows) {
    const id = `programs/pair-${programName(row)}`;
    const features = attentionFeaturesOf(
      describeProblem(caseInputs({ id, spec: programSpec(row) })),
    );
    expect(
      ["mask program", "score program", "block mask"].map((name) =>
        features.includes(name as never),
      ),
    ).toEqual([
      row.maskMod !== "no-program",
      row.scoreMod !== "no-score",
      row.blockMask !== "no-blocks",
    ]);
  }
});

test("the naive evaluation and the reference see the same keys, but work them out apart", () => {
  const ofPrograms = cases.filter(({ profile }) => profile === "programs");
  expect(new Set(ofPrograms.map(({ id }) => id)).size).toBe(ofPrograms.length);
  for (const c of ofPrograms.filter(({ spec }) => spec.maskMod && spec.queryLength < 40)) {
    const inputs = caseInputs(c);
    if (inputs.queryStarts) continue;
    const returns = { weights: true } as const;
    const { visible } = naiveAttention({ ...inputs, returns });
    const { weights } = referenceAttention({ ...inputs, returns });
    const seen = Array.from(weights.data, (weight) => Number(weight !== 0));
    const differ = seen.filter((one, at) => one === 1 && visible?.[at] !== 1).length;
    expect([c.id, differ]).toEqual([c.id, 0]);
  }
});
