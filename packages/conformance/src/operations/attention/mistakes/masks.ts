import { type HostTensor, isContiguous, transpose } from "@heed/core";
import { largestNumber } from "../../../judge/roundoff.js";
import { mapTensor } from "../laws/transform.js";
import {
  firstOf,
  ignoringStrides,
  ofKeyHeads,
  onlyFirst,
  reaches,
  without,
  withoutInfinity,
} from "./changes.js";
import { type Call, callMistake, type Mistake, stepMistake } from "./mistake.js";
import { at, steps } from "./steps.js";

/** Masks and biases: whose they are, what they hide, and where they lie. */
export const maskMistakes: readonly Mistake[] = [
  callMistake("the mask is ignored", (call) => without(call, "mask")),
  callMistake(
    "the mask is turned around",
    (call) =>
      call.mask ? { ...call, mask: mapTensor(call.mask, (shown) => (shown ? 0 : 1)) } : null,
    { sentence: "the mask is turned around: true hides", mutant: "masks" },
  ),
  callMistake("the mask of head 0 serves all heads", (call) => firstOf(call, "mask", 3), {
    mutant: "masks",
  }),
  callMistake("the mask is that of the key head", (call) => ofKeyHeads(call, "mask"), {
    sentence: "query head h reads the mask of its key head's number",
    mutant: "core",
  }),
  callMistake("a mask that heads share hides keys of head 0 only", (call) => onlyFirst(call, 3), {
    mutant: "masks",
    published: "burn#4778",
  }),
  callMistake("a mask that batches share hides keys of batch 0 only", (call) => onlyFirst(call, 4)),
  callMistake("the mask of batch 0 serves all batches", (call) => firstOf(call, "mask", 4), {
    mutant: "masks",
  }),
  callMistake("the mask of query 0 serves all queries", (call) => firstOf(call, "mask", 2)),
  callMistake("the bias is ignored", (call) => without(call, "bias")),
  callMistake("the bias of head 0 serves all heads", (call) => firstOf(call, "bias", 3)),
  callMistake("the bias of batch 0 serves all batches", (call) => firstOf(call, "bias", 4)),
  callMistake("query head h reads the bias of its key head's number", (call) =>
    ofKeyHeads(call, "bias"),
  ),
  callMistake("the bias of query 0 serves all queries", (call) => firstOf(call, "bias", 2)),
  callMistake("−∞ in a bias hides nothing", withoutInfinity),
  callMistake(
    "a bias of the lowest float32 hides its key",
    (call) =>
      call.bias
        ? { ...call, bias: mapTensor(call.bias, (x) => (x < -1e38 ? Number.NEGATIVE_INFINITY : x)) }
        : null,
    { sentence: "a bias of the lowest number hides its key", mutant: "masks" },
  ),
  stepMistake(
    "a bias of one head and several batches is read as that of batch 0",
    "masks",
    {
      bias: (place, j, call) =>
        steps.bias(call.problem.bias?.shape[1] === 1 ? { ...place, b: 0 } : place, j, call),
    },
    "onnxruntime#24017",
  ),
  stepMistake("a byte of a mask is true only if it is 1", "masks", {
    attends: ({ b, h, i }, j, { bound }) => bound.mask === null || at(bound.mask, b, h, i, j) === 1,
  }),
  stepMistake("a masked key has the lowest float32 as its logit", "masks", {
    attends: () => true,
    biased: (s, place, j, call) =>
      steps.attends(place, j, call) ? steps.biased(s, place, j, call) : -largestNumber.float32,
  }),
  stepMistake("−∞ in a bias is an ordinary number", "masks", {
    visible: () => true,
    max: (max) => (max === Number.NEGATIVE_INFINITY ? -1e30 : max),
    logSumExp: (max, sum) => max + Math.log(sum),
  }),
  ...(["query", "key", "value", "mask", "bias"] as const).map((name) =>
    callMistake(
      `strides and offset of ${name} are ignored: it is read as if it were row-major`,
      (call: Call): Call | null => {
        const t = call[name];
        if (t === undefined || (isContiguous(t) && t.offset === 0) || !reaches(t)) return null;
        return { ...call, [name]: ignoringStrides(t) };
      },
    ),
  ),
  callMistake("heads and length are swapped", (call) => {
    const swapped = (t: HostTensor): HostTensor => ({
      ...transpose(t, [0, 2, 1, 3]),
      shape: t.shape,
    });
    const [, heads, length] = call.query.shape;
    return heads === length ? { ...call, query: swapped(call.query) } : null;
  }),
];
