import onnxProto from "onnx-proto";

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

const { onnx } = onnxProto;
const { AttributeType } = onnx.AttributeProto;
const { DataType } = onnx.TensorProto;

/** A model of one node Attention of opset 24 in ONNX's file format; all sizes are symbolic. */
export function encodeAttention(model: AttentionModel): Uint8Array {
  const mask = model.mask === null ? "" : "attn_mask";
  const inputs = ["Q", "K", "V", mask];
  if (model.nonpad) inputs.push("", "", "nonpad_kv_seqlen");
  const value = (name: string, elemType: number, rank: number) => ({
    name,
    type: {
      tensorType: {
        elemType,
        shape: { dim: Array.from({ length: rank }, (_, i) => ({ dimParam: `${name}_${i}` })) },
      },
    },
  });
  const int = (name: string, i: number) => ({ name, i, type: AttributeType.INT });
  const float = (name: string, f: number) => ({ name, f, type: AttributeType.FLOAT });
  const message = onnx.ModelProto.create({
    irVersion: 10,
    producerName: "heed-conformance",
    opsetImport: [{ domain: "", version: 24 }],
    graph: {
      name: "attention",
      node: [
        {
          opType: "Attention",
          name: "attention",
          input: inputs,
          output: model.qk === null ? ["Y"] : ["Y", "", "", "qk"],
          attribute: [
            int("is_causal", model.causal ? 1 : 0),
            float("scale", model.scale),
            float("softcap", model.softcap),
            ...(model.qk === null ? [] : [int("qk_matmul_output_mode", model.qk)]),
          ],
        },
      ],
      input: [
        value("Q", DataType.FLOAT, 4),
        value("K", DataType.FLOAT, 4),
        value("V", DataType.FLOAT, 4),
        ...(model.mask
          ? [value(mask, model.mask === "bool" ? DataType.BOOL : DataType.FLOAT, 4)]
          : []),
        ...(model.nonpad ? [value("nonpad_kv_seqlen", DataType.INT64, 1)] : []),
      ],
      output: [
        value("Y", DataType.FLOAT, 4),
        ...(model.qk === null ? [] : [value("qk", DataType.FLOAT, 4)]),
      ],
    },
  });
  return onnx.ModelProto.encode(message).finish();
}
