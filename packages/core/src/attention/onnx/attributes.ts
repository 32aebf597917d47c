import type { AttentionInputs } from "../inputs.js";
import { AttributeReader } from "./read-attributes.js";

/** The operator's attributes, by its own names, with its own defaults. */
export interface OnnxAttentionAttributes {
  /** 1: query row i sees keys up to its position. Default 0. */
  readonly is_causal?: number | undefined;
  /** Heads of Q. Needed for 3-D inputs. */
  readonly q_num_heads?: number | undefined;
  /** Heads of K and V. Needed for 3-D inputs. */
  readonly kv_num_heads?: number | undefined;
  /**
   * Contents of qk_matmul_output: 0 (default) the scaled product, 1 after softcap, 2 after the mask
   * (−∞ where hidden), 3 the softmax.
   */
  readonly qk_matmul_output_mode?: number | undefined;
  /** Default 1/√head_size. */
  readonly scale?: number | undefined;
  /** Default 0: no cap. */
  readonly softcap?: number | undefined;
  /**
   * An element type of TensorProto: 1 float, 10 float16, 11 double, 16 bfloat16. Accepted
   * only as a hint: softmax statistics are float32 at least, float64 for float64 inputs.
   */
  readonly softmax_precision?: number | undefined;
  /** Opset 25: keys before position − left_window_size are hidden. Default −1: unbounded. */
  readonly left_window_size?: number | undefined;
  /** Opset 25: keys after position + right_window_size are hidden. Default −1: unbounded. */
  readonly right_window_size?: number | undefined;
}

export interface ReadAttributes {
  /** Options that a call of attention has under the same names. */
  readonly options: Pick<AttentionInputs, "causal" | "window" | "scale" | "softcap">;
  readonly queryHeads: number | undefined;
  readonly kvHeads: number | undefined;
  readonly qkMode: 0 | 1 | 2 | 3;
}

const names: ReadonlySet<keyof OnnxAttentionAttributes> = new Set([
  "is_causal",
  "q_num_heads",
  "kv_num_heads",
  "qk_matmul_output_mode",
  "scale",
  "softcap",
  "softmax_precision",
  "left_window_size",
  "right_window_size",
]);

/** @throws InvalidInputError naming the attribute */
export function readAttributes(given: OnnxAttentionAttributes | undefined): ReadAttributes {
  const attributes = new AttributeReader(given, names);
  const positive = (value: number) => value >= 1;
  const side = (name: "left_window_size" | "right_window_size"): number | undefined => {
    const size = attributes.integer(
      name,
      (value) => value >= -1,
      "an integer ≥ −1, where −1 is unbounded",
    );
    return size === -1 ? undefined : size;
  };
  attributes.integer(
    "softmax_precision",
    (value) => [1, 10, 11, 16].includes(value),
    "1 (float), 10 (float16), 11 (double) or 16 (bfloat16)",
  );
  const mode = attributes.integer(
    "qk_matmul_output_mode",
    (value) => value >= 0 && value <= 3,
    "0, 1, 2 or 3",
  );
  return {
    options: {
      causal:
        attributes.integer("is_causal", (value) => value === 0 || value === 1, "0 or 1") === 1,
      window: { left: side("left_window_size"), right: side("right_window_size") },
      scale: attributes.number("scale"),
      softcap: attributes.number("softcap", "a finite number ≥ 0", (value) => value >= 0),
    },
    queryHeads: attributes.integer("q_num_heads", positive, "an integer ≥ 1"),
    kvHeads: attributes.integer("kv_num_heads", positive, "an integer ≥ 1"),
    qkMode: (mode ?? 0) as ReadAttributes["qkMode"],
  };
}
