import type { onnx } from "onnx-proto";

/** The part of onnx-proto that builds models; passed in, because it is loaded lazily. */
export type OnnxProto = typeof onnx;

/** One input or output of a model. */
export interface ModelValue {
  readonly name: string;
  readonly type: "float32" | "bool" | "int32";
  /** A name is a size left open. */
  readonly shape: readonly (number | string)[];
}

export interface ModelNode {
  readonly op: string;
  /** ONNX's own if left out. */
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly moreOutputs?: readonly string[];
  readonly ints?: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
  readonly lists?: Readonly<Record<string, readonly number[]>>;
}

export interface ModelGraph {
  readonly opset: number;
  readonly nodes: readonly ModelNode[];
  readonly inputs: readonly ModelValue[];
  readonly output: ModelValue;
  readonly moreOutputs?: readonly ModelValue[];
  /** Constants by name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly scalars: Readonly<Record<string, number>>;
}

/** A graph in ONNX's file format. */
export function encodeModel(proto: OnnxProto, graph: ModelGraph): Uint8Array {
  const model = proto.ModelProto.create({
    // 10 came with ONNX 1.16; onnxruntime 1.30 reads it and every later opset in it.
    irVersion: 10,
    producerName: "heed-bench",
    opsetImport: [
      { domain: "", version: graph.opset },
      { domain: "com.microsoft", version: 1 },
    ],
    graph: {
      name: "attention",
      node: graph.nodes.map((node) => encodeNode(proto, node)),
      input: graph.inputs.map((value) => encodeValue(proto, value)),
      output: [graph.output, ...(graph.moreOutputs ?? [])].map((v) => encodeValue(proto, v)),
      initializer: [
        ...Object.entries(graph.shapes).map(([name, sizes]) => ({
          name,
          dims: [sizes.length],
          dataType: proto.TensorProto.DataType.INT64,
          int64Data: [...sizes],
        })),
        ...Object.entries(graph.scalars).map(([name, value]) => ({
          name,
          dims: [],
          dataType: proto.TensorProto.DataType.FLOAT,
          floatData: [value],
        })),
      ],
    },
  });
  return proto.ModelProto.encode(model).finish();
}

function encodeNode(proto: OnnxProto, node: ModelNode): onnx.INodeProto {
  const { AttributeType } = proto.AttributeProto;
  return {
    opType: node.op,
    ...(node.domain !== undefined && { domain: node.domain }),
    name: `${node.op} ${node.output}`,
    input: [...node.inputs],
    output: [node.output, ...(node.moreOutputs ?? [])],
    attribute: [
      ...Object.entries(node.ints ?? {}).map(([name, i]) => ({ name, i, type: AttributeType.INT })),
      ...Object.entries(node.floats ?? {}).map(([name, f]) => ({
        name,
        f,
        type: AttributeType.FLOAT,
      })),
      ...Object.entries(node.lists ?? {}).map(([name, ints]) => ({
        name,
        ints: [...ints],
        type: AttributeType.INTS,
      })),
    ],
  };
}

function encodeValue(proto: OnnxProto, { name, type, shape }: ModelValue): onnx.IValueInfoProto {
  const { DataType } = proto.TensorProto;
  return {
    name,
    type: {
      tensorType: {
        elemType: { float32: DataType.FLOAT, bool: DataType.BOOL, int32: DataType.INT32 }[type],
        shape: {
          dim: shape.map((size) =>
            typeof size === "string" ? { dimParam: size } : { dimValue: size },
          ),
        },
      },
    },
  };
}
