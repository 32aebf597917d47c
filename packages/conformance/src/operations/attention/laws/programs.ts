import { tensor } from "@heed/core";
import { causal, document, slidingWindow } from "@heed/core/masks";
import {
  and,
  createBlockMask,
  divide,
  lessEqual,
  type MaskProgram,
  maskMod,
  multiply,
  scoreMod,
  subtract,
  tanh,
} from "@heed/core/program";
import type { ProgramCase } from "../../../run/case.js";
import { difference, toleranceOf } from "./compare.js";
import { choose, type Law } from "./law.js";
import { everyFeature, everyFeatureBut } from "./problems.js";
import { lawCase } from "./search.js";
import type { Call } from "./transform.js";

const asProgram = (name: "causal" | "window", mask: MaskProgram): Law => ({
  name: `${name}-as-a-program`,
  statement: `A mask program that says what ${name} says gives the same result.`,
  features: everyFeatureBut(name),
  always: name === "causal" ? { causal: true } : { window: { left: 5, right: 2 } },
  check: async (call, { run }) => {
    const program: Call = { ...call, [name]: undefined, maskMod: mask };
    return difference(await run(program), await run(call), toleranceOf(call));
  },
});

const softcapAsProgram: Law = {
  name: "softcap-as-a-program",
  statement: "A score program that says what softcap says gives the same result.",
  // Biases are added after the cap and before the program.
  features: everyFeatureBut("softcap", "bias", "alibi"),
  always: { softcap: 3 },
  check: async (call, { run }) => {
    const cap = scoreMod(({ score }) => multiply(tanh(divide(score, 3)), 3));
    const program = { ...call, softcap: undefined, scoreMod: cap };
    return difference(await run(program), await run(call), toleranceOf(program));
  },
};

const hidingNothing: Law = {
  name: "a-program-that-hides-nothing",
  statement: "A mask program that hides nothing changes nothing.",
  features: everyFeature,
  check: async (call, { run }) => {
    const all = maskMod(({ queryIndex, keyIndex }) =>
      lessEqual(subtract(queryIndex, keyIndex), queryIndex),
    );
    return difference(await run({ ...call, maskMod: all }), await run(call), toleranceOf(call));
  },
};

const scoresAsTheyAre: Law = {
  name: "a-program-of-the-score-itself",
  statement: "A score program that gives the score as it is changes nothing.",
  features: everyFeature,
  check: async (call, { run }) => {
    const same = scoreMod(({ score }) => score);
    return difference(await run({ ...call, scoreMod: same }), await run(call), toleranceOf(call));
  },
};

const blockMaskOrNone: Law = {
  name: "a-block-mask-or-none",
  statement:
    "With the block mask of its program a call gives what it gives without, whatever the blocks.",
  features: everyFeatureBut("queryOffset"),
  check: async ({ queryOffset: _, ...call }, { run, random }) => {
    const [batch, heads, queryLength] = call.query.shape as [number, number, number];
    const keyLength = call.key.shape[2] as number;
    const length = Math.max(queryLength, keyLength);
    const ids = Int32Array.from({ length }, (_, at) => Math.floor(at / (1 + choose(random, 12))));
    const masks = [
      causal(),
      slidingWindow({ left: choose(random, 9), right: choose(random, 9) }),
      maskMod(and(causal(), document(tensor(ids.sort(), [1, length])))),
    ];
    const mask = masks[choose(random, 2)] as MaskProgram;
    const queryOffset = choose(random, 20) - 10;
    const plain: Call = { ...call, queryOffset, maskMod: mask };
    const blockMask = createBlockMask(mask, {
      batch,
      heads,
      queryLength,
      keyLength,
      queryOffset,
      queryBlock: 1 + choose(random, 19),
      keyBlock: 1 + choose(random, 39),
    });
    return difference(await run({ ...plain, blockMask }), await run(plain), toleranceOf(plain));
  },
};

/** Laws of programs: cases of the profile `programs`, since not every backend has them. */
export const programLaws: readonly ProgramCase[] = [
  asProgram("causal", causal()),
  asProgram("window", slidingWindow({ left: 5, right: 2 })),
  softcapAsProgram,
  hidingNothing,
  scoresAsTheyAre,
  blockMaskOrNone,
].map((law) => lawCase(law, "programs"));
