import { encodeModel, GraphBuilder, type ModelDType } from "@heed/backend-onnx/model";
import type { AttentionFeatureName, AttentionProblem } from "@heed/core";

/** One node Attention: what of it varies. */
export interface AttentionModel {
  readonly causal: boolean;
  readonly scale: number;
  /** 0: none. */
  readonly softcap: number;
  readonly mask: "bool" | "float" | null;
  readonly nonpad: boolean;
  /** qk_matmul_output_mode, where that output is wanted. */
  readonly qk: 0 | 1 | 2 | 3 | null;
}

/** Features of the operator. */
export const operatorFeatures: readonly AttentionFeatureName[] = [
  "mask",
  "bias",
  "causal",
  "kvLengths",
  "softcap",
  "value head size",
  "weights",
  "scores",
];

/**
 * The node that computes a problem.
 *
 * @param hiding how the call tells the node which keys are hidden
 */
export function modelOf(
  { scale, softcap, returns }: AttentionProblem,
  hiding: Pick<AttentionModel, "causal" | "mask" | "nonpad">,
): AttentionModel {
  const qk = returns.scores === "raw" ? 0 : returns.scores === "capped" ? 1 : null;
  return { ...hiding, scale, softcap: softcap ?? 0, qk: returns.weights ? 3 : qk };
}

/** Sizes of a call. */
type Sizes = Pick<
  AttentionProblem,
  "batch" | "queryHeads" | "kvHeads" | "queryLength" | "keyLength" | "headDim" | "valueDim"
>;

/**
 * A model of one node Attention of opset 24 in ONNX's file format.
 *
 * @param known the sizes; symbolic if left out
 */
export function encodeAttention(model: AttentionModel, known?: Sizes): Uint8Array {
  const g = new GraphBuilder(24);
  const sizes = (name: string): (number | string)[] =>
    known ? shapeOf(name, known) : [0, 1, 2, 3].map((axis) => `${name}_${axis}`);
  const input = (name: string, dtype: ModelDType) => g.input(name, dtype, sizes(name));
  const [query, key, value] = [input("Q", "float32"), input("K", "float32"), input("V", "float32")];
  const maskDType = model.mask === "float" ? "float32" : "bool";
  const mask = model.mask === null ? "" : input("attn_mask", maskDType);
  const nonpad = model.nonpad
    ? g.input("nonpad_kv_seqlen", "int64", [known?.batch ?? "nonpad_kv_seqlen_0"])
    : "";
  const [output, , , qk] = g.node(
    "Attention",
    // Between them, a cache's keys and values.
    [query, key, value, mask, "", "", nonpad],
    ["Y", "", "", model.qk === null ? "" : "qk"],
    {
      is_causal: model.causal ? 1 : 0,
      scale: { float: model.scale },
      softcap: { float: model.softcap },
      ...(model.qk !== null && { qk_matmul_output_mode: model.qk }),
    },
  );
  g.output("Y", output, "float32", sizes("Y"));
  if (qk !== "") g.output("qk", qk, "float32", sizes("qk"));
  return encodeModel(g.build());
}

function shapeOf(name: string, p: Sizes): number[] {
  switch (name) {
    case "Q":
      return [p.batch, p.queryHeads, p.queryLength, p.headDim];
    case "K":
      return [p.batch, p.kvHeads, p.keyLength, p.headDim];
    case "V":
      return [p.batch, p.kvHeads, p.keyLength, p.valueDim];
    case "Y":
      return [p.batch, p.queryHeads, p.queryLength, p.valueDim];
    default:
      return [p.batch, p.queryHeads, p.queryLength, p.keyLength];
  }
}
