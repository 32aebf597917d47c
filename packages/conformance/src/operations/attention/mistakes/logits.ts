import {
  bindHeadValues,
  bindPositions,
  broadcastTo,
  describeProblem,
  fromFloat64,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { mapTensor, withOffsets } from "../laws/transform.js";
import { scaled, valuesOfKeyHeads, without } from "./changes.js";
import { type Call, callMistake, type Mistake, stepMistake, type Use } from "./mistake.js";
import { steps } from "./steps.js";

/** Terms of a logit. */
interface Parts {
  /** q · k · scale. */
  readonly raw: number;
  readonly scale: number;
  /** `null` for none. */
  readonly cap: number | null;
  readonly bias: number;
  readonly slope: number;
  /** Position of the query: its index plus `offset`. The key's position is `key`. */
  readonly position: number;
  readonly offset: number;
  readonly key: number;
}

type Part = "softcap" | "bias" | "alibiSlopes";

const capped = (x: number, cap: number | null): number =>
  cap === null ? x : cap * Math.tanh(x / cap);
const distance = ({ position, key }: Parts): number => Math.abs(position - key);
const beforeAlibi = (x: Parts): number => capped(x.raw, x.cap) + x.bias;

/** A mistake in the steps from products to logits, for calls that have all of `needs`. */
function logitMistake(
  name: string,
  needs: readonly Part[],
  logit: (parts: Parts) => number,
  use: Use = {},
): Mistake {
  return callMistake(
    name,
    (call) => (needs.every((part) => call[part] !== undefined) ? withLogits(call, logit) : null),
    use,
  );
}

/** Scale, softcap, bias and ALiBi: steps 1 to 3 of the semantics; and sinks, which are no products. */
export const logitMistakes: readonly Mistake[] = [
  callMistake(
    "an explicit scale is ignored",
    (call) => scaled(call, 1 / Math.sqrt(call.query.shape[3] as number)),
    { sentence: "the scale is ignored: it is always 1/√headDim", mutant: "core" },
  ),
  callMistake("nothing is scaled", (call) => scaled(call, 1)),
  callMistake("the scale is applied twice", (call) =>
    scaled(call, describeProblem(call).scale ** 2),
  ),
  stepMistake("the scale follows the value's head size", "core", {
    scaled: (dot, { problem }) =>
      dot * problem.scale * Math.sqrt(problem.headDim / problem.valueDim),
  }),
  callMistake("softcap is ignored", (call) => without(call, "softcap"), {
    mutant: "core",
    published: "sglang#33915",
  }),
  logitMistake(
    "softcap comes after the bias",
    ["softcap", "bias"],
    (x) => capped(x.raw + x.bias, x.cap) - x.slope * distance(x),
    { sentence: "softcap comes after the bias, and caps it too", mutant: "masks" },
  ),
  logitMistake("softcap comes after ALiBi, and caps it too", ["softcap", "alibiSlopes"], (x) =>
    capped(x.raw + x.bias - x.slope * distance(x), x.cap),
  ),
  logitMistake(
    "softcap comes before the scale",
    ["softcap"],
    (x) => x.scale * capped(x.raw / x.scale, x.cap) + x.bias - x.slope * distance(x),
    { mutant: "core" },
  ),
  logitMistake(
    "softcap divides, but does not multiply: tanh(s / cap)",
    ["softcap"],
    (x) => Math.tanh(x.raw / (x.cap as number)) + x.bias - x.slope * distance(x),
  ),
  logitMistake(
    "softcap multiplies, but does not divide: cap · tanh(s)",
    ["softcap"],
    (x) => (x.cap as number) * Math.tanh(x.raw) + x.bias - x.slope * distance(x),
  ),
  stepMistake(
    "softcap is ignored beside sinks",
    "pairs",
    { capped: (s, call) => (call.problem.sinks ? s : steps.capped(s, call)) },
    "flashinfer#4976",
  ),
  callMistake(
    "the bias is scaled",
    (call) => {
      const { scale } = describeProblem(call);
      return call.bias ? { ...call, bias: mapTensor(call.bias, (x) => x * scale) } : null;
    },
    { mutant: "masks" },
  ),
  callMistake("ALiBi is ignored", (call) => without(call, "alibiSlopes")),
  logitMistake(
    "ALiBi's sign is turned: far keys count more",
    ["alibiSlopes"],
    (x) => beforeAlibi(x) + x.slope * distance(x),
  ),
  logitMistake(
    "ALiBi knows nothing of the query offset",
    ["alibiSlopes"],
    (x) => beforeAlibi(x) - x.slope * Math.abs(x.position - x.offset - x.key),
    { sentence: "ALiBi counts queries from 0, without their offset", mutant: "masks" },
  ),
  logitMistake(
    "ALiBi is signed",
    ["alibiSlopes"],
    (x) => beforeAlibi(x) - x.slope * (x.position - x.key),
    {
      sentence: "ALiBi's distance has a sign: keys after the query gain by it",
      mutant: "masks",
    },
  ),
  logitMistake(
    "ALiBi is scaled",
    ["alibiSlopes"],
    (x) => beforeAlibi(x) - x.scale * x.slope * distance(x),
  ),
  callMistake(
    "ALiBi takes the slopes of the key heads",
    (call) => valuesOfKeyHeads(call, "alibiSlopes"),
    { sentence: "query head h has the ALiBi slope of its key head's number", mutant: "masks" },
  ),
  callMistake("sinks are ignored", (call) => without(call, "sinks")),
  callMistake(
    "the sink is scaled",
    (call) => withSinks(call, (sink) => sink * describeProblem(call).scale),
    { sentence: "sinks are scaled", mutant: "masks" },
  ),
  callMistake(
    "the sink is capped",
    (call) => {
      const { softcap } = describeProblem(call);
      return softcap === null ? null : withSinks(call, (sink) => capped(sink, softcap));
    },
    { sentence: "softcap caps sinks too", mutant: "masks" },
  ),
  callMistake("sinks are those of the key heads", (call) => valuesOfKeyHeads(call, "sinks"), {
    sentence: "query head h has the sink of its key head's number",
    mutant: "masks",
  }),
];

function withSinks(call: Call, change: (sink: number) => number): Call | null {
  const { sinks } = bindHeadValues(call);
  return sinks && { ...call, sinks: Array.from(sinks, change) };
}

/** The call with other logits: a bias makes up for the difference to the scaled products. */
function withLogits(call: Call, logit: (parts: Parts) => number): Call {
  const problem = describeProblem(call);
  const { queryLength, keyLength, queryHeads, scale, softcap } = problem;
  const { offsets } = bindPositions(problem, call);
  const { alibiSlopes } = bindHeadValues(call);
  const scores = referenceAttention({ ...call, returns: { scores: "raw" } }).scores as HostTensor;
  const bias = call.bias && toFloat64(broadcastTo(call.bias, scores.shape));
  const made = toFloat64(scores).map((raw, at) => {
    const row = Math.floor(at / keyLength);
    const h = Math.floor(row / queryLength) % queryHeads;
    const offset = offsets[Math.floor(row / (queryLength * queryHeads))] as number;
    const parts: Parts = {
      raw,
      scale,
      cap: softcap,
      bias: bias?.[at] ?? 0,
      slope: alibiSlopes?.[h] ?? 0,
      position: offset + (row % queryLength),
      offset,
      key: at % keyLength,
    };
    return logit(parts) - raw;
  });
  return {
    ...withOffsets(call),
    softcap: undefined,
    alibiSlopes: undefined,
    bias: fromFloat64(made, scores.shape, "float32"),
  };
}
