import type { AttentionInputs, HostTensor } from "@heed/core";
import { junk, pick } from "../../../calls/junk.js";
import { Random } from "../../../calls/random.js";
import { spoilSizes, spoilTensor } from "../../../calls/spoiled-tensors.js";
import type { WrongCall } from "../../../run/wrong-calls.js";
import { buildInputs } from "../build/inputs.js";
import type { CallFeature } from "../features/feature.js";
import { features } from "../features/index.js";
import { servingFeatures } from "../features/serving/index.js";

type Call = AttentionInputs<HostTensor>;

type Change = (call: Call, random: Random) => Record<string, unknown>;

const [B, H, Q, K, D] = [2, 4, 5, 7, 8];

/** A valid call with every argument, so that each of them can be spoiled. */
function validCall(seed: string): Call {
  return buildInputs(
    {
      batch: B,
      queryHeads: H,
      kvHeads: 2,
      queryLength: Q,
      keyLength: K,
      headDim: D,
      ...Object.assign({}, ...features.map(({ valid }) => valid)),
      returns: { logSumExp: true, weights: true, scores: "raw" },
    },
    seed,
  );
}

/** Wrong values of the arguments that are no tensors. */
const wrongArguments: CallFeature["wrong"] = {
  ...Object.assign({}, ...features.map(({ wrong }) => wrong)),
  returns: (_, random) =>
    pick(random, [
      7,
      "all",
      Symbol("returns"),
      { weights: pick(random, junk) },
      { logSumExp: pick(random, junk) },
      { scores: pick(random, junk) },
      { weight: true },
      { logsumexp: true },
    ]),
};

/** The arguments of {@link validCall}, so that calls of their own leave them out. */
const nothingElse: Record<string, unknown> = Object.fromEntries(
  Object.keys(validCall("names")).map((name) => [name, undefined]),
);

/** Wrong calls with stored keys, pages, ragged batches and positions as data. */
const servingChanges: readonly (readonly [name: string, change: Change])[] =
  servingFeatures.flatMap(({ valid, wrong, tensors }) => {
    const own = (): Call => buildInputs(valid, "hostile-serving");
    const spoilt = tensors.flatMap((name) =>
      Object.entries(spoilTensor).map(([what, spoil]): [string, Change] => [
        `${name} ${what}`,
        (_, random) => {
          const call = own();
          return { ...nothingElse, ...call, [name]: spoil(call[name] as HostTensor, random) };
        },
      ]),
    );
    const mistaken = Object.entries(wrong).map(([what, change]): [string, Change] => [
      what,
      (_, random) => {
        const call = own();
        return { ...nothingElse, ...call, ...change(call, random) };
      },
    ]);
    return [...spoilt, ...mistaken];
  });

/** Masks and biases that do not broadcast. */
const wrongMasks: readonly (readonly number[])[] = [
  [K + 1],
  [Q + 1, K],
  [H - 1, Q, K],
  [B + 1, H, Q, K],
  [K, Q],
  [2],
];

/** Every kind of wrong call. */
const changes: readonly (readonly [name: string, change: Change])[] = [
  ...features.flatMap(({ edges = {} }) =>
    Object.entries(edges).map(([what, wrong]): [string, Change] => [what, () => ({ ...wrong })]),
  ),
  ...(["query", "key", "value", "mask", "bias"] as const).flatMap((argument) =>
    Object.entries(spoilTensor).map(([what, spoil]): [string, Change] => [
      `${argument} ${what}`,
      (call, random) => ({ [argument]: spoil(call[argument] as HostTensor, random) }),
    ]),
  ),
  ...(["query", "key", "value"] as const).flatMap((argument): [string, Change][] => [
    [`${argument} is missing`, () => ({ [argument]: undefined })],
    ...Object.entries(spoilSizes)
      // A value may have another head size.
      .filter(([what]) => argument !== "value" || what !== "has another head size")
      .map(([what, spoil]): [string, Change] => [
        `${argument} ${what}`,
        (call, random) => ({ [argument]: spoil(call[argument], random) }),
      ]),
  ]),
  ...wrongMasks.flatMap((shape): [string, Change][] => [
    [`mask of shape ${shape}`, (_, random) => ({ mask: random.mask(shape, 0.5) })],
    [`bias of shape ${shape}`, (_, random) => ({ bias: random.tensor(shape, "float32") })],
  ]),
  ["mask is a float", (_, random) => ({ mask: random.tensor([Q, K], "float32") })],
  ["bias is a bool", (_, random) => ({ bias: random.mask([Q, K], 0.5) })],
  ["bias is float64", (_, random) => ({ bias: random.tensor([Q, K], "float64") })],
  ["query is float64", (_, random) => ({ query: random.tensor([B, H, Q, D], "float64") })],
  ...Object.entries(wrongArguments).map(([argument, wrong]): [string, Change] => [
    `${argument} is wrong`,
    (call, random) => ({ [argument]: wrong(call, random) }),
  ]),
  ...servingChanges,
  [
    "there is an argument that does not exist",
    (_, random) => ({
      [pick(random, ["Query", "attnMask", "is_causal", "dropout", "0", "constructor "])]: 1,
    }),
  ],
];

/**
 * Calls that are wrong in one way each, every way in turn.
 *
 * @param seed the same one gives the same calls
 */
export function* hostileCalls(count: number, seed: number): Generator<WrongCall> {
  const random = new Random(seed);
  for (let i = 0; i < count; i++) {
    if (i % 97 === 96) {
      const inputs = pick(random, [...junk, undefined]);
      yield { name: "the inputs are junk", inputs };
      continue;
    }
    const [name, change] = changes[i % changes.length] as (typeof changes)[number];
    const call = validCall(`hostile-${seed}-${i % 8}`);
    yield { name, inputs: { ...call, ...change(call, random) } };
  }
}

/** How many kinds of wrong calls there are. */
export const hostileKinds: number = changes.length;
