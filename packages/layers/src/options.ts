import {
  type AttentionInputs,
  type AttentionWindow,
  describeValue,
  type FloatDType,
  type HeadValues,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type RotaryInputs,
  type Tensor,
} from "@heed/core";
import { flag } from "@heed/core/options";
import { checkCount, checkShape, readMembers } from "./check.js";

/** A linear layer as `torch.nn.Linear` saves it. */
export interface Linear {
  /** `[out, in]`. */
  readonly weight: Tensor;
  /** `[out]`. Default none. */
  readonly bias?: Tensor | undefined;
}

/** The projections of a layer; all tensors are of one dtype: float64, float32 or float16. */
export interface LayerWeights {
  /** `[queryHeads · headDim, in]`. */
  readonly query: Linear;
  /** `[kvHeads · headDim, in of the key]`. */
  readonly key: Linear;
  /** `[kvHeads · valueDim, in of the value]`. */
  readonly value: Linear;
  /** `[out, queryHeads · valueDim]`. */
  readonly output: Linear;
}

/** How query and key are turned: the options of the operation `rotary` that say no position. */
export type LayerRotary = Pick<
  RotaryInputs,
  "theta" | "inverseFrequencies" | "cos" | "sin" | "rotaryDim" | "interleaved"
>;

/** Normalisation of each head vector by its root mean square (arXiv:1910.07467). */
export interface HeadNorm {
  /** `[headDim]`, in host memory. Gemma's models store it less 1. */
  readonly weight: HostTensor;
  /** Added to the mean square. Default 1e-6. */
  readonly epsilon?: number | undefined;
}

/** Keys and values that every query sees beside those of the call: `add_bias_kv`, `add_zero_attn` of PyTorch. */
export interface ExtraKeys {
  /** `[rows, kvHeads · headDim]`, in host memory, of the weights' dtype. */
  readonly key: HostTensor;
  /** `[rows, kvHeads · valueDim]`. */
  readonly value: HostTensor;
}

/** Options of `multiHeadAttention`. */
export interface MultiHeadAttentionOptions {
  readonly queryHeads: number;
  /** A divisor of `queryHeads`. Default `queryHeads`. */
  readonly kvHeads?: number | undefined;
  /** Size of a query or key of one head. Default: what the query's weight has for each head. */
  readonly headDim?: number | undefined;
  readonly weights: LayerWeights;
  /** Query and key are turned by their positions, after they are normalised. Default: they are not. */
  readonly rotary?: LayerRotary | undefined;
  /** Default: queries stay as they are projected. A tensor stands for `{ weight }`. */
  readonly queryNorm?: HeadNorm | HostTensor | undefined;
  /** As `queryNorm`, of the keys. */
  readonly keyNorm?: HeadNorm | HostTensor | undefined;
  /** Hides keys after a query. Default false. */
  readonly causal?: boolean | undefined;
  /** Keys around a query's position that it sees; both ends inclusive. */
  readonly window?: AttentionWindow | undefined;
  /** Bound of the logits, > 0. */
  readonly softcap?: number | undefined;
  /** Factor of the dot products. Default 1/√headDim. */
  readonly scale?: number | undefined;
  /** `[queryHeads]`: one more logit in the denominator, without a value. */
  readonly sinks?: HeadValues | undefined;
  /** `[queryHeads]`: ALiBi's slopes (arXiv:2108.12409). */
  readonly alibiSlopes?: HeadValues | undefined;
  /** Keys and values that are appended to every call's. Not together with a cache. */
  readonly extra?: ExtraKeys | undefined;
}

/** Options, checked and with everything optional resolved. */
export interface LayerOptions {
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly dtype: FloatDType;
  readonly weights: LayerWeights;
  readonly rotary: LayerRotary | undefined;
  readonly queryNorm: Required<HeadNorm> | undefined;
  readonly keyNorm: Required<HeadNorm> | undefined;
  readonly extra: ExtraKeys | undefined;
  /** Rules of attention that the layer hands on. */
  readonly rules: Pick<
    AttentionInputs,
    "causal" | "window" | "softcap" | "scale" | "sinks" | "alibiSlopes"
  >;
}

const optionNames = [
  "queryHeads",
  "kvHeads",
  "headDim",
  "weights",
  "rotary",
  "queryNorm",
  "keyNorm",
  "causal",
  "window",
  "softcap",
  "scale",
  "sinks",
  "alibiSlopes",
  "extra",
] as const;

/**
 * Checks everything but what attention and rotary themselves check, which the layer tries before it is made.
 *
 * @throws InvalidInputError naming the option at fault, DisposedError
 */
export function readLayerOptions(given: unknown): LayerOptions {
  const options = readMembers<MultiHeadAttentionOptions>("options", given, optionNames);
  const queryHeads = checkCount("queryHeads", options.queryHeads);
  const kvHeads = checkCount("kvHeads", options.kvHeads ?? queryHeads);
  if (queryHeads % kvHeads !== 0) {
    throw new InvalidInputError("kvHeads", `a divisor of queryHeads ${queryHeads}`, `${kvHeads}`);
  }
  const weights = readWeights(options.weights);
  const dtype = checkDTypes(weights);
  const headDim = readHeadDim(options.headDim, weights.query.weight, queryHeads);
  const valueRows = weights.value.weight.shape[0] as number;
  checkRows("weights.query", weights.query, queryHeads * headDim, "queryHeads · headDim");
  checkRows("weights.key", weights.key, kvHeads * headDim, "kvHeads · headDim");
  if (valueRows === 0 || valueRows % kvHeads !== 0) {
    const expected = `shape [kvHeads · valueDim, in] with a multiple of kvHeads ${kvHeads}`;
    throw new InvalidInputError("weights.value.weight", expected, shown(weights.value.weight));
  }
  const valueDim = valueRows / kvHeads;
  const merged = queryHeads * valueDim;
  if (weights.output.weight.shape[1] !== merged) {
    const expected = `shape [out, queryHeads · valueDim] = [out, ${merged}]`;
    throw new InvalidInputError("weights.output.weight", expected, shown(weights.output.weight));
  }
  const { window, softcap, scale, sinks, alibiSlopes } = options;
  return {
    queryHeads,
    kvHeads,
    headDim,
    valueDim,
    dtype,
    weights,
    rotary: options.rotary === undefined ? undefined : readRotary(options.rotary),
    queryNorm: readNorm("queryNorm", options.queryNorm, headDim),
    keyNorm: readNorm("keyNorm", options.keyNorm, headDim),
    extra: readExtra(options.extra, kvHeads * headDim, kvHeads * valueDim, dtype),
    rules: {
      causal: flag("causal", options.causal),
      ...(window !== undefined && { window }),
      ...(softcap !== undefined && { softcap }),
      ...(scale !== undefined && { scale }),
      ...(sinks !== undefined && { sinks }),
      ...(alibiSlopes !== undefined && { alibiSlopes }),
    },
  };
}

function readWeights(given: unknown): LayerWeights {
  const names = ["query", "key", "value", "output"] as const;
  const weights = readMembers<LayerWeights>("weights", given, names);
  const linear = (name: (typeof names)[number]): Linear => {
    const argument = `weights.${name}`;
    const { weight, bias } = readMembers<Linear>(argument, weights[name], ["weight", "bias"]);
    const checked = checkShape(`${argument}.weight`, weight, [null, null], "[out, in]");
    const out = checked.shape[0] as number;
    return {
      weight: checked,
      ...(bias !== undefined && { bias: checkShape(`${argument}.bias`, bias, [out], "[out]") }),
    };
  };
  return {
    query: linear("query"),
    key: linear("key"),
    value: linear("value"),
    output: linear("output"),
  };
}

/** All weights are of one dtype, and those on a device on the same one. */
function checkDTypes(weights: LayerWeights): FloatDType {
  const { dtype } = weights.query.weight;
  if (dtype !== "float64" && dtype !== "float32" && dtype !== "float16") {
    throw new InvalidInputError("weights.query.weight", "float64, float32 or float16", dtype);
  }
  let backend: string | undefined;
  for (const [name, { weight, bias }] of Object.entries(weights) as [string, Linear][]) {
    for (const [part, t] of [
      ["weight", weight],
      ["bias", bias],
    ] as const) {
      if (t === undefined) continue;
      const argument = `weights.${name}.${part}`;
      if (t.dtype !== dtype) {
        throw new InvalidInputError(argument, `dtype ${dtype}, as weights.query.weight`, t.dtype);
      }
      if (!isDeviceTensor(t)) continue;
      backend ??= t.backend;
      if (t.backend !== backend) {
        throw new InvalidInputError(argument, `a tensor of backend ${backend}`, t.backend);
      }
    }
  }
  return dtype;
}

function readHeadDim(given: unknown, weight: Tensor, queryHeads: number): number {
  if (given !== undefined) return checkCount("headDim", given);
  const rows = weight.shape[0] as number;
  if (rows > 0 && rows % queryHeads === 0) return rows / queryHeads;
  const expected = `shape [queryHeads · headDim, in] with a multiple of queryHeads ${queryHeads}`;
  throw new InvalidInputError("weights.query.weight", expected, shown(weight));
}

function checkRows(argument: string, { weight }: Linear, rows: number, names: string): void {
  if (weight.shape[0] === rows) return;
  const expected = `shape [${names}, in] = [${rows}, in]`;
  throw new InvalidInputError(`${argument}.weight`, expected, shown(weight));
}

function readRotary(given: unknown): LayerRotary {
  return readMembers<LayerRotary>("rotary", given, [
    "theta",
    "inverseFrequencies",
    "cos",
    "sin",
    "rotaryDim",
    "interleaved",
  ]);
}

function readNorm(
  argument: string,
  given: unknown,
  headDim: number,
): Required<HeadNorm> | undefined {
  if (given === undefined) return undefined;
  const bare = typeof given === "object" && given !== null && "data" in given;
  const norm: Partial<HeadNorm> = bare
    ? { weight: given as HostTensor }
    : readMembers<HeadNorm>(argument, given, ["weight", "epsilon"]);
  const name = bare ? argument : `${argument}.weight`;
  const weight = checkShape(name, norm.weight, [headDim], "[headDim]");
  if (isDeviceTensor(weight)) {
    throw new InvalidInputError(name, "a host tensor", `a tensor of backend ${weight.backend}`);
  }
  if (!["float64", "float32", "float16"].includes(weight.dtype)) {
    throw new InvalidInputError(name, "float64, float32 or float16", weight.dtype);
  }
  const { epsilon = 1e-6 } = norm;
  if (typeof epsilon !== "number" || !(epsilon >= 1e-37 && epsilon <= 1e37)) {
    const expected = "a number from 1e-37 to 1e37";
    throw new InvalidInputError(`${argument}.epsilon`, expected, describeValue(epsilon));
  }
  return { weight, epsilon };
}

function readExtra(
  given: unknown,
  keyWidth: number,
  valueWidth: number,
  dtype: FloatDType,
): ExtraKeys | undefined {
  if (given === undefined) return undefined;
  const extra = readMembers<ExtraKeys>("extra", given, ["key", "value"]);
  const key = checkShape("extra.key", extra.key, [null, keyWidth], "[rows, kvHeads · headDim]");
  const rows = key.shape[0] as number;
  const value = checkShape(
    "extra.value",
    extra.value,
    [rows, valueWidth],
    "[rows, kvHeads · valueDim]",
  );
  for (const [name, t] of Object.entries({ key, value })) {
    if (isDeviceTensor(t)) {
      throw new InvalidInputError(`extra.${name}`, "a host tensor", `one of backend ${t.backend}`);
    }
    if (t.dtype !== dtype) {
      throw new InvalidInputError(`extra.${name}`, `the weights' dtype ${dtype}`, t.dtype);
    }
  }
  return rows === 0 ? undefined : { key: key as HostTensor, value: value as HostTensor };
}

function shown({ shape }: Tensor): string {
  return `[${shape.join(", ")}]`;
}
