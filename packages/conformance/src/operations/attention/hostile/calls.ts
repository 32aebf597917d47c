import type { AttentionInputs, HostTensor } from "@heed/core";
import { junk, pick, wrongInteger } from "../../../calls/junk.js";
import { Random } from "../../../calls/random.js";
import { spoilSizes, spoilTensor } from "../../../calls/spoiled-tensors.js";
import { buildInputs } from "../build/inputs.js";

type Call = AttentionInputs<HostTensor>;

/** A call that must be refused before any backend sees it. */
export interface HostileCall {
  /** What is wrong with it. */
  readonly name: string;
  readonly inputs: unknown;
}

type Change = (call: Call, random: Random) => Record<string, unknown>;

const [B, H, Q, K, D] = [2, 4, 5, 7, 8];

/** A call that has everything, so that anything can go wrong with it. */
function validCall(seed: string): Call {
  return buildInputs(
    {
      batch: B,
      queryHeads: H,
      kvHeads: 2,
      queryLength: Q,
      keyLength: K,
      headDim: D,
      mask: { shape: [B, H, Q, K] },
      bias: { shape: [B, H, Q, K] },
      causal: true,
      window: { left: 3 },
      queryOffset: [1, 2],
      kvLengths: [6, 7],
      alibi: true,
      sinks: true,
      softcap: 5,
      scale: 0.3,
      returns: { logSumExp: true, weights: true, scores: "raw" },
    },
    seed,
  );
}

const junkBut = (...allowed: readonly unknown[]): readonly unknown[] =>
  junk.filter((value) => !allowed.some((a) => Object.is(a, value)));
const notNumber = junk.filter((value) => typeof value !== "number");
const notFinite = [...notNumber, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const oneOf =
  (values: readonly unknown[]) =>
  (_: Call, random: Random): unknown =>
    pick(random, values);

/** Wrong values of the arguments that are no tensors. */
const wrongArguments: Readonly<Record<string, (call: Call, random: Random) => unknown>> = {
  causal: oneOf([...junk, 0, 1, "true"]),
  window: (_, random) =>
    pick(random, [
      ...junkBut().filter((value) => typeof value !== "object" || value === null),
      { left: wrongBut(random, undefined) },
      { right: wrongBut(random, undefined) },
      { left: 1, rigth: 1 },
    ]),
  queryOffset: (_, random) =>
    pick(random, [
      ...notNumber,
      0.5,
      Number.NaN,
      2 ** 31,
      "top-left",
      [1],
      [1, 2, 3],
      [1, 0.5],
      [1, null],
      new Float32Array(2),
      Int32Array.of(1),
      undefined,
    ]),
  kvLengths: (_, random) =>
    pick(random, [
      ...junk,
      [1],
      [1, 2, 3],
      [1, K + 1],
      [-1, 2],
      [1, wrongInteger(random)],
      new Float32Array(2),
      Int32Array.of(1),
      Int32Array.of(1, -1),
    ]),
  alibiSlopes: (_, random) => wrongHeadValues(random, [Number.NEGATIVE_INFINITY]),
  sinks: (_, random) => wrongHeadValues(random, []),
  scale: oneOf(notFinite),
  softcap: oneOf([...notFinite, -1, -1e-9]),
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

function wrongBut(random: Random, allowed: unknown): unknown {
  const value = wrongInteger(random);
  return value === allowed ? -1 : value;
}

function wrongHeadValues(random: Random, more: readonly number[]): unknown {
  return pick(random, [
    ...junk,
    new Float32Array(H + 1),
    new Float64Array(H - 1),
    new Int32Array(H),
    [1, 2, 3],
    [1, 2, 3, "4"],
    [1, 2, 3, Number.NaN],
    [1, 2, 3, Number.POSITIVE_INFINITY],
    ...more.map((value) => [1, 2, 3, value]),
  ]);
}

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
export function* hostileCalls(count: number, seed: number): Generator<HostileCall> {
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
