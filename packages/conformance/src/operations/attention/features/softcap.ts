import fc from "fast-check";
import { ofProfile } from "../../../run/case.js";
import { cacheCall, finfoMinCall, returnsCases, smallCall, smallMasked } from "../cases/bases.js";
import { notFinite, oneOf } from "../hostile/wrong-values.js";
import type { CallFeature } from "./feature.js";
import { decodeCall, servingCases, storedCall } from "./serving/bases.js";

/** Softcap: logits pass through cap · tanh(logit / cap). */
export const softcap: CallFeature = {
  field: "softcap",
  isArgument: true,
  positional: false,
  rarity: 2,
  factors: { softcap: { uncapped: {}, softcap: { softcap: 1.5 } } },
  law: {
    draw: fc.option(fc.constantFrom(1.5, 5), { nil: undefined }),
    toSpec: (softcap: number | undefined) => (softcap === undefined ? {} : { softcap }),
  },
  variations: { "a softcap": { softcap: 2 }, "another softcap": { softcap: 2.5 } },
  everything: { softcap: 5 },
  valid: { softcap: 5 },
  wrong: { softcap: oneOf([...notFinite, -1, -1e-9]) },
  edges: {
    "softcap is 1e39": { softcap: 1e39 },
    "softcap is the largest float64": { softcap: Number.MAX_VALUE },
    "softcap is 1e-46, which float32 rounds to 0": { softcap: 1e-46 },
    "softcap is the smallest float64": { softcap: Number.MIN_VALUE },
  },
  cases: [
    ...ofProfile("core", [
      { id: "core/softcap", spec: { queryLength: 30, keyLength: 70, softcap: 1.5, scale: 1 } },
      ...returnsCases("scores-capped", { softcap: 2, returns: { scores: "capped" } }),
      {
        id: "core/bias-softcap-1",
        spec: { ...smallCall, bias: { shape: [4, 5, 11] }, softcap: 1, scale: 0.3 },
      },
      {
        id: "core/bias-softcap",
        spec: { ...smallCall, bias: { shape: [4, 5, 11] }, softcap: 1.5, scale: 1 },
      },
    ]),
    ...ofProfile("decode", [{ id: "decode/softcap", spec: { ...cacheCall, softcap: 3 } }]),
    ...ofProfile("masks", [
      {
        id: "masks/sinks-scale-softcap",
        spec: { ...smallMasked, sinks: [5, -5, 2, 1], scale: 0.01, softcap: 2 },
      },
      { id: "masks/finfo-min-rows-softcap", spec: { ...finfoMinCall, softcap: 0.01 } },
    ]),
    ...ofProfile(
      "numerics",
      (["float64", "float16"] as const).map((dtype) => ({
        id: `numerics/${dtype}-softcap-sinks`,
        spec: { dtype, queryLength: 9, softcap: 3, sinks: true as const },
      })),
    ),
    ...servingCases({
      "pages-softcap": { ...decodeCall, softcap: 3, pages: { size: 16 } },
      "ragged-softcap": {
        ...storedCall,
        batch: 3,
        softcap: 2,
        ragged: { queries: [5, 0, 3], keys: [12, 7, 11] },
      },
    }),
  ],
};
