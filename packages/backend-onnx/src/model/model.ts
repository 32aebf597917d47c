import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../generated/onnx_pb.js";

/** Element types of the models, by onnxruntime's names for them. */
export type ModelDType = "float64" | "float32" | "float16" | "int64" | "int32" | "bool";

/** A size, or the name of one that is known only at each run. */
export type Dimension = number | string;

/** An input or output of a model. */
export interface ModelValue {
  readonly name: string;
  readonly dtype: ModelDType;
  readonly dims: readonly Dimension[];
}

/** An attribute: integers are written as INT or INTS, `{ float }` as FLOAT. */
export type ModelAttribute = number | readonly number[] | { readonly float: number };

export interface ModelNode {
  readonly operator: string;
  /** Empty is ONNX's own. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, ModelAttribute>>;
}

/** A constant: a scalar without `dims`. */
export interface ModelConstant {
  readonly name: string;
  readonly dtype: ModelDType;
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

export interface ModelGraph {
  /** Of ONNX's own operators. */
  readonly opset: number;
  readonly nodes: readonly ModelNode[];
  readonly inputs: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
  readonly constants: readonly ModelConstant[];
}

const dataTypes: Readonly<Record<ModelDType, DataType>> = {
  float64: DataType.DOUBLE,
  float32: DataType.FLOAT,
  float16: DataType.FLOAT16,
  int64: DataType.INT64,
  int32: DataType.INT32,
  bool: DataType.BOOL,
};

/** The oldest format version that may hold an opset: https://onnx.ai/onnx/repo-docs/Versioning.html. */
function irVersion(opset: number): bigint {
  if (opset <= 18) return 8n;
  if (opset <= 20) return 9n;
  if (opset <= 22) return 10n;
  return 11n;
}

/** A graph in ONNX's file format. */
export function encodeModel(graph: ModelGraph): Uint8Array {
  const domains = new Set(graph.nodes.map(({ domain }) => domain));
  domains.delete("");
  const model: ModelProto = create(ModelProtoSchema, {
    irVersion: irVersion(graph.opset),
    producerName: "heed",
    opsetImport: [
      { domain: "", version: BigInt(graph.opset) },
      ...[...domains].map((domain) => ({ domain, version: 1n })),
    ],
    graph: {
      name: "attention",
      node: graph.nodes.map(encodeNode),
      input: graph.inputs.map(encodeValue),
      output: graph.outputs.map(encodeValue),
      initializer: graph.constants.map(encodeConstant),
    },
  });
  return toBinary(ModelProtoSchema, model);
}

function encodeNode(node: ModelNode): NodeProto {
  return create(NodeProtoSchema, {
    opType: node.operator,
    domain: node.domain,
    name: `${node.operator} ${node.outputs[0]}`,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, value]) => {
      if (typeof value === "number") {
        return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
      }
      if ("float" in value) {
        return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
      }
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.INTS,
        ints: value.map((integer) => BigInt(integer)),
      });
    }),
  });
}

function encodeValue({ name, dtype, dims }: ModelValue): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: dataTypes[dtype],
          shape: {
            dim: dims.map((size) => ({
              value:
                typeof size === "number"
                  ? { case: "dimValue" as const, value: BigInt(size) }
                  : { case: "dimParam" as const, value: size },
            })),
          },
        },
      },
    },
  });
}

function encodeConstant({ name, dtype, dims, values }: ModelConstant): TensorProto {
  const list = [...values];
  const content = {
    float64: { doubleData: list },
    float32: { floatData: list },
    int64: { int64Data: dtype === "int64" ? list.map((integer) => BigInt(integer)) : [] },
    int32: { int32Data: list },
    bool: { int32Data: list },
    float16: null,
  }[dtype];
  if (content === null) throw new RangeError("constants are not float16: models compute wider");
  return create(TensorProtoSchema, {
    name,
    dims: dims.map((size) => BigInt(size)),
    dataType: dataTypes[dtype],
    ...content,
  });
}

/**
 * A tensor in the format of ONNX's own test data (`input_0.pb`).
 *
 * @param data the elements, row-major, as they lie in memory: little-endian
 */
export function encodeTensor(
  name: string,
  dtype: ModelDType,
  dims: readonly number[],
  data: ArrayBufferView,
): Uint8Array {
  return toBinary(
    TensorProtoSchema,
    create(TensorProtoSchema, {
      name,
      dims: dims.map((size) => BigInt(size)),
      dataType: dataTypes[dtype],
      rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
    }),
  );
}
