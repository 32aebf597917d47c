import {
  type AttentionInputs,
  bindHeadValues,
  bindPositions,
  broadcastTo,
  describeProblem,
  fromFloat64,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { withOffsets } from "../laws/transform.js";
import type { Hypothesis } from "./hypotheses.js";

type Call = AttentionInputs<HostTensor>;

/** What a logit is made of. */
interface Parts {
  /** q · k · scale. */
  readonly raw: number;
  readonly scale: number;
  /** `null` for none. */
  readonly cap: number | null;
  readonly bias: number;
  readonly slope: number;
  /** Of the query, its offset included, and of the key. */
  readonly position: number;
  readonly offset: number;
  readonly key: number;
}

type Part = "softcap" | "bias" | "alibiSlopes";

const capped = (x: number, cap: number | null): number =>
  cap === null ? x : cap * Math.tanh(x / cap);
const distance = ({ position, key }: Parts): number => Math.abs(position - key);
const beforeAlibi = (x: Parts): number => capped(x.raw, x.cap) + x.bias;

/** Mistakes in the steps from products to logits, for calls that have all of `needs`. */
const mistakes: readonly {
  readonly name: string;
  readonly needs: readonly Part[];
  readonly logit: (parts: Parts) => number;
}[] = [
  {
    name: "softcap comes after the bias, and caps it too",
    needs: ["softcap", "bias"],
    logit: (x) => capped(x.raw + x.bias, x.cap) - x.slope * distance(x),
  },
  {
    name: "softcap comes after ALiBi, and caps it too",
    needs: ["softcap", "alibiSlopes"],
    logit: (x) => capped(x.raw + x.bias - x.slope * distance(x), x.cap),
  },
  {
    name: "softcap comes before the scale",
    needs: ["softcap"],
    logit: (x) => x.scale * capped(x.raw / x.scale, x.cap) + x.bias - x.slope * distance(x),
  },
  {
    name: "softcap divides, but does not multiply: tanh(s / cap)",
    needs: ["softcap"],
    logit: (x) => Math.tanh(x.raw / (x.cap as number)) + x.bias - x.slope * distance(x),
  },
  {
    name: "softcap multiplies, but does not divide: cap · tanh(s)",
    needs: ["softcap"],
    logit: (x) => (x.cap as number) * Math.tanh(x.raw) + x.bias - x.slope * distance(x),
  },
  {
    name: "ALiBi's sign is turned: far keys count more",
    needs: ["alibiSlopes"],
    logit: (x) => beforeAlibi(x) + x.slope * distance(x),
  },
  {
    name: "ALiBi counts queries from 0, without their offset",
    needs: ["alibiSlopes"],
    logit: (x) => beforeAlibi(x) - x.slope * Math.abs(x.position - x.offset - x.key),
  },
  {
    name: "ALiBi's distance has a sign: keys after the query gain by it",
    needs: ["alibiSlopes"],
    logit: (x) => beforeAlibi(x) - x.slope * (x.position - x.key),
  },
  {
    name: "ALiBi is scaled",
    needs: ["alibiSlopes"],
    logit: (x) => beforeAlibi(x) - x.scale * x.slope * distance(x),
  },
];

/** A sink is no product: neither scaled nor capped. */
const sinkMistakes: readonly Hypothesis[] = [
  {
    name: "sinks are scaled",
    change: (call) => withSinks(call, (sink) => sink * describeProblem(call).scale),
  },
  {
    name: "softcap caps sinks too",
    change: (call) => {
      const { softcap } = describeProblem(call);
      return softcap === null ? null : withSinks(call, (sink) => capped(sink, softcap));
    },
  },
];

export const logitMistakes: readonly Hypothesis[] = [
  ...mistakes.map(({ name, needs, logit }) => ({
    name,
    change: (call: Call) =>
      needs.every((part) => call[part] !== undefined) ? withLogits(call, logit) : null,
  })),
  ...sinkMistakes,
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
