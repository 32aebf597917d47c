import { type AttentionOutputs, type HostTensor, tensor } from "@heed/core";
import {
  type BlockMask,
  type BoolExpression,
  bindProgram,
  createBlockMask,
  type MaskProgram,
  maskMod,
  type NumberExpression,
  scoreMod,
} from "@heed/core/program";
import fc from "fast-check";
import type { CheckContext, ProgramCase, ProgramFinding } from "../../../run/case.js";
import { judge } from "../judge/judge.js";
import { naiveProgram } from "../judge/programs.js";
import { difference, toleranceOf } from "./compare.js";
import { build, maskTrees, scoreTrees, type Tree } from "./program-trees.js";
import { type RandomSizes, randomInputs, randomSizes } from "./random-calls.js";
import { type Tried, tryCalls } from "./try-calls.js";

/** Tries twice as many calls as a law: they are small. */
const tryPrograms = <T>(
  context: CheckContext,
  calls: fc.Arbitrary<T>,
  check: Tried<T>["check"],
): Promise<ProgramFinding> =>
  tryCalls(
    { ...context, runs: 2 * context.runs },
    {
      calls,
      check,
      describe: (one, shrinks, why) => [
        why,
        `seed ${context.seed}; the smallest call, after ${shrinks} steps: ${JSON.stringify(one)}`,
      ],
    },
  );

const maskOf = (tree: Tree): MaskProgram =>
  maskMod((variables) => build(tree, variables as never) as BoolExpression);

/** Random mask programs give what a mask of their values gives, with a block mask or without. */
export const randomMasks: ProgramCase = {
  id: "programs/law-random-programs",
  profile: "programs",
  statement: "A mask program gives what a mask of its values gives.",
  run: (context) =>
    tryPrograms(context, fc.record({ tree: maskTrees, ...randomSizes }), async (attention, one) => {
      const program = maskOf(one.tree);
      const call = randomInputs(one);
      const given = await attention.run({
        ...call,
        maskMod: program,
        blockMask: blocksOf(program, one),
      });
      const mask = valuesOf(program, one);
      const expected = await attention.run({ ...call, mask });
      const broken = difference(given, expected, toleranceOf(call));
      return broken && `${program}: ${broken}`;
    }),
};

/** Random score programs, beside a mask program or none, give what evaluating them in float64 gives. */
export const randomScores: ProgramCase = {
  id: "programs/law-random-scores",
  profile: "programs",
  statement: "A score program gives what evaluating it by itself gives.",
  run: (context) =>
    tryPrograms(
      context,
      fc.record({
        tree: scoreTrees,
        mask: fc.option(maskTrees, { nil: undefined }),
        ...randomSizes,
      }),
      async (attention, one) => {
        const program = scoreMod(
          (variables) => build(one.tree, variables as never) as NumberExpression,
        );
        const mask = one.mask && maskOf(one.mask);
        const call = {
          ...randomInputs(one),
          scoreMod: program,
          ...(mask && { maskMod: mask, blockMask: blocksOf(mask, one) }),
        };
        const outputs = (await attention.run(call)) as AttentionOutputs<HostTensor>;
        const { violations, budgets } = judge(call, outputs, undefined, context.arithmetic);
        const wrong = violations[0] ?? (budgets <= 1 ? null : `${budgets} times what is tolerated`);
        return wrong && `${program}${mask ? ` where ${mask}` : ""}: ${wrong}`;
      },
    ),
};

/** The block mask of a program, if a call has one. */
function blocksOf(program: MaskProgram, one: RandomSizes): BlockMask | undefined {
  const { batch, heads, queryLength, keyLength, queryOffset, block } = one;
  if (!block) return undefined;
  const [queryBlock, keyBlock] = block;
  const sizes = { batch, heads: heads[0], queryLength, keyLength, queryOffset };
  return createBlockMask(program, { ...sizes, queryBlock, keyBlock });
}

/** A program's values as a mask. */
function valuesOf(program: MaskProgram, one: RandomSizes): HostTensor {
  const { batch, heads, queryLength, keyLength, queryOffset } = one;
  const [queryHeads] = heads;
  const evaluate = naiveProgram(bindProgram(program), Math.fround, 2 ** -24);
  const mask: boolean[] = [];
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < queryHeads; h++)
      for (let i = 0; i < queryLength; i++)
        for (let j = 0; j < keyLength; j++) {
          const place = { query: i + queryOffset, key: j, queryIndex: i, keyIndex: j };
          mask.push(evaluate({ batch: b, head: h, ...place }).value === 1);
        }
  return tensor(mask, [batch, queryHeads, queryLength, keyLength]);
}
