import fc from "fast-check";
import type { ProgramCase } from "../../../run/case.js";
import type { BlockMaskSpec } from "../build/programs.js";
import { judge } from "../judge/judge.js";
import type { CaseSpec } from "../spec.js";
import type { Law } from "./law.js";
import { everyFeature } from "./problems.js";
import { maskTrees, scoreTrees } from "./program-trees.js";
import { lawCase } from "./search.js";
import { storedProblems } from "./stored-problems.js";

const blocks: fc.Arbitrary<BlockMaskSpec> = fc.record(
  {
    queryBlock: fc.integer({ min: 1, max: 20 }),
    keyBlock: fc.integer({ min: 1, max: 40 }),
    data: fc.constantFrom("full", "1hqk", "b1qk", "11qk"),
  },
  { requiredKeys: ["queryBlock", "keyBlock"] },
);

/** Random calls with random programs. */
const withPrograms = (
  programs: fc.Arbitrary<Pick<CaseSpec, "maskMod" | "scoreMod">>,
): fc.Arbitrary<CaseSpec> =>
  fc
    .tuple(storedProblems, programs, fc.option(blocks, { nil: undefined, freq: 2 }))
    .map(([spec, made, blockMask]) => ({
      ...spec,
      ...made,
      ...(blockMask && { blockMask }),
    }));

const evaluated: Pick<Law, "features" | "tries" | "needsLogSumExp" | "check"> = {
  features: everyFeature,
  // They are small.
  tries: 2,
  needsLogSumExp: true,
  check: async (call, { run, arithmetic }) => {
    const { violations, budgets } = judge(call, await run(call), undefined, arithmetic);
    const wrong = violations[0] ?? (budgets <= 1 ? null : `${budgets} times what is tolerated`);
    const programs = [call.maskMod, call.scoreMod].filter((program) => program !== undefined);
    return wrong && `${programs.join(" and ")}: ${wrong}`;
  },
};

/** Random calls with a mask program. */
export const randomMasks: fc.Arbitrary<CaseSpec> = withPrograms(fc.record({ maskMod: maskTrees }));

/** Random calls with a score program, beside a mask program or none. */
export const randomScores: fc.Arbitrary<CaseSpec> = withPrograms(
  fc.record({ scoreMod: scoreTrees, maskMod: maskTrees }, { requiredKeys: ["scoreMod"] }),
);

const masks: Law = {
  ...evaluated,
  name: "random-programs",
  statement: "A call with a mask program gives what evaluating it in float64 gives.",
  problems: randomMasks,
};

const scores: Law = {
  ...evaluated,
  name: "random-scores",
  statement: "A call with a score program gives what evaluating it in float64 gives.",
  problems: randomScores,
};

/** Random programs in random calls. */
export const randomPrograms: readonly ProgramCase[] = [masks, scores].map((law) =>
  lawCase(law, "programs"),
);
