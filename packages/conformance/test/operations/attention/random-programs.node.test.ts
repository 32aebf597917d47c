import { caseInputs } from "@heed/conformance";
import { attentionFeaturesOf, describeProblem } from "@heed/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readPasted } from "../../../src/cli/pasted.js";
import {
  randomMasks,
  randomScores,
} from "../../../src/operations/attention/laws/random-programs.js";

test("random calls with programs say everything that a call can say, and can be pasted as cases", () => {
  const met = new Map<string, number>();
  for (const specs of [randomMasks, randomScores]) {
    for (const spec of fc.sample(specs, { numRuns: 80, seed: 1 })) {
      const pasted = readPasted(JSON.stringify({ id: "random", spec }));
      const [call, again] = [caseInputs({ id: "random", spec }), caseInputs(pasted)];
      expect([again.maskMod, again.scoreMod].join()).toBe([call.maskMod, call.scoreMod].join());
      const names: (string | false)[] = [
        ...attentionFeaturesOf(describeProblem(call)),
        !!spec.poison && spec.pages !== undefined && "poison around pages",
        !!spec.ragged && spec.pages !== undefined && "a ragged batch in pages",
        !!spec.kvDtype && spec.pages !== undefined && "stored keys in pages",
        call.queryOffset !== undefined && spec.blockMask !== undefined && "blocks at an offset",
        call.queryPositions !== undefined && spec.blockMask !== undefined && "blocks at positions",
      ];
      for (const name of names) if (name) met.set(name, (met.get(name) ?? 0) + 1);
    }
  }
  const rare = [...met].filter(([, count]) => count < 10).map(([name]) => name);
  expect(rare).toEqual([]);
  expect([...met.keys()].sort()).toMatchInlineSnapshot(`
    [
      "ALiBi",
      "a ragged batch in pages",
      "bias",
      "block mask",
      "blocks at an offset",
      "blocks at positions",
      "causal",
      "cross-attention",
      "float16",
      "float16 keys and values",
      "float32",
      "grouped-query heads",
      "int8 keys and values",
      "key positions",
      "kvLengths",
      "logSumExp",
      "mask",
      "mask program",
      "pages",
      "poison around pages",
      "query positions",
      "queryOffset",
      "ragged batch",
      "score program",
      "scores",
      "sinks",
      "softcap",
      "stored keys in pages",
      "value head size",
      "weights",
      "window",
    ]
  `);
});
