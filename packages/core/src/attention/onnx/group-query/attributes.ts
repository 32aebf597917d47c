import { describeValue, InvalidInputError } from "../../../errors.js";
import { AttributeReader } from "../read-attributes.js";

/** The attributes of com.microsoft.GroupQueryAttention, by its own names, with its own defaults. */
export interface OnnxGroupQueryAttentionAttributes {
  /** Heads of the query. */
  readonly num_heads: number;
  /** Heads of keys and values; divides `num_heads`. */
  readonly kv_num_heads: number;
  /** 1 (default): a query sees keys up to its own. 0: all keys. */
  readonly causal?: number | undefined;
  /** 1: query and new keys are turned by `cos_cache` and `sin_cache`. Default 0. */
  readonly do_rotary?: number | undefined;
  /** 1: pairs are neighbours. Default 0: halves. */
  readonly rotary_interleaved?: number | undefined;
  /** Default, and 0: 1/√head_size. */
  readonly scale?: number | undefined;
  /** Default 0: no cap. */
  readonly softcap?: number | undefined;
  /** A query sees its own key and `local_window_size` − 1 before it. Default −1: all before it. */
  readonly local_window_size?: number | undefined;
  /** 1: one more logit of 0 in the denominator of every head. Default 0. */
  readonly smooth_softmax?: number | undefined;
  /** Contents of output_qk: 0 (default) none, 1 logits, 2 the softmax. Hidden keys have 0 in both. */
  readonly qk_output?: number | undefined;
  /** Epsilon of the normalisation by `q_norm_weight` and `k_norm_weight`. Default 1e-6. */
  readonly qk_norm_epsilon?: number | undefined;
  /** 1: past and present hold what the window needs, compacted by the operator. Default 0. */
  readonly sliding_window_cache?: number | undefined;
  /** `"NONE"` (default); quantised caches are refused. */
  readonly k_quant_type?: string | undefined;
  /** `"NONE"` (default); quantised caches are refused. */
  readonly v_quant_type?: string | undefined;
  /** Refused unless 0: quantised caches. */
  readonly kv_cache_bit_width?: number | undefined;
}

export interface ReadGroupQueryAttributes {
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly causal: boolean;
  readonly rotary: boolean;
  readonly interleaved: boolean;
  /** Undefined: the default. */
  readonly scale: number | undefined;
  readonly softcap: number | undefined;
  /** Keys that a query sees, its own included; undefined: all. */
  readonly window: number | undefined;
  readonly smooth: boolean;
  readonly qk: "none" | "logits" | "weights";
  readonly epsilon: number;
  readonly compacted: boolean;
}

const names: ReadonlySet<keyof OnnxGroupQueryAttentionAttributes> = new Set([
  "num_heads",
  "kv_num_heads",
  "causal",
  "do_rotary",
  "rotary_interleaved",
  "scale",
  "softcap",
  "local_window_size",
  "smooth_softmax",
  "qk_output",
  "qk_norm_epsilon",
  "sliding_window_cache",
  "k_quant_type",
  "v_quant_type",
  "kv_cache_bit_width",
]);

/** @throws InvalidInputError naming the attribute */
export function readGroupQueryAttributes(given: unknown): ReadGroupQueryAttributes {
  const attributes = new AttributeReader(given, names);
  const queryHeads = attributes.count("num_heads");
  const kvHeads = attributes.count("kv_num_heads");
  if (queryHeads % kvHeads !== 0) {
    const expected = `a multiple of kv_num_heads ${kvHeads}`;
    throw new InvalidInputError("num_heads", expected, `${queryHeads}`);
  }
  for (const name of ["k_quant_type", "v_quant_type"] as const) {
    attributes.refuse(name, ["NONE"], '"NONE": quantised caches are not supported');
  }
  attributes.refuse("kv_cache_bit_width", [0], "0: quantised caches are not supported");
  const causal = attributes.flag("causal", true);
  const window = attributes.integer(
    "local_window_size",
    (size) => size === -1 || size >= 1,
    "−1, which is unbounded, or an integer ≥ 1",
  );
  const windowed = window !== undefined && window !== -1;
  if (windowed && !causal) {
    throw new InvalidInputError("local_window_size", "−1 where causal is 0", `${window}`);
  }
  const compacted = attributes.flag("sliding_window_cache", false);
  if (compacted && !windowed) {
    throw new InvalidInputError(
      "local_window_size",
      "an integer ≥ 1 where sliding_window_cache is 1",
      describeValue(window),
    );
  }
  const scale = attributes.number("scale");
  const qk = attributes.integer("qk_output", (mode) => mode >= 0 && mode <= 2, "0, 1 or 2");
  return {
    queryHeads,
    kvHeads,
    causal,
    rotary: attributes.flag("do_rotary", false),
    interleaved: attributes.flag("rotary_interleaved", false),
    scale: scale === 0 ? undefined : scale,
    softcap: attributes.number("softcap", "a finite number ≥ 0", (value) => value >= 0),
    window: windowed ? window : undefined,
    smooth: attributes.flag("smooth_softmax", false),
    qk: qk === 1 ? "logits" : qk === 2 ? "weights" : "none",
    epsilon:
      attributes.number("qk_norm_epsilon", "a finite number ≥ 0", (value) => value >= 0) ?? 1e-6,
    compacted,
  };
}
