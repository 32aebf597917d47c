import { gather, withOffsets } from "../laws/transform.js";
import { type Call, callMistake, type Mistake } from "./mistake.js";

/** Inputs that differ between batches, and how a call takes each from other batches. */
const ofBatches: readonly (readonly [
  words: string,
  take: (call: Call, from: readonly number[]) => Call | null,
])[] = [
  ["the length", (call, from) => takeNumbers(call, "kvLengths", from)],
  ["the query offset", (call, from) => takeNumbers(call, "queryOffset", from)],
  ["the mask", (call, from) => takeSlices(call, "mask", from)],
  ["the bias", (call, from) => takeSlices(call, "bias", from)],
  [
    "key and value",
    (call, from) => ({
      ...call,
      key: gather(call.key, 0, from),
      value: gather(call.value, 0, from),
    }),
  ],
];

/** Mistakes in which the index of the batch is off by one. */
export const neighbours: readonly Mistake[] = ofBatches.flatMap(([words, take]) => [
  callMistake(`batch b has ${words} of batch b + 1`, (call) =>
    among(call, 2, take, (b, batch) => Math.min(b + 1, batch - 1)),
  ),
  // Needs three batches: with two, batch 0 would serve both, which is a different mistake.
  callMistake(`batch b has ${words} of batch b − 1`, (call) =>
    among(call, 3, take, (b) => Math.max(0, b - 1)),
  ),
]);

function among(
  call: Call,
  least: number,
  take: (typeof ofBatches)[number][1],
  from: (b: number, batch: number) => number,
): Call | null {
  const batch = call.query.shape[0] as number;
  if (batch < least) return null;
  return take(
    call,
    Array.from({ length: batch }, (_, b) => from(b, batch)),
  );
}

function takeNumbers(
  call: Call,
  name: "kvLengths" | "queryOffset",
  from: readonly number[],
): Call | null {
  const told = withOffsets(call);
  const numbers = told[name];
  if (typeof numbers !== "object") return null;
  return { ...told, [name]: Int32Array.from(from, (b) => numbers[b] as number) };
}

function takeSlices(call: Call, name: "mask" | "bias", from: readonly number[]): Call | null {
  const t = call[name];
  if (t === undefined || t.shape.length < 4 || t.shape[0] === 1) return null;
  return { ...call, [name]: gather(t, 0, from) };
}
