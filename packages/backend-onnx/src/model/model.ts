import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { getTextEncoding } from "@bufbuild/protobuf/wire";
import { numberToFloat16Bits } from "@heed/core";
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
export type ModelDType = "float64" | "float32" | "float16" | "int64" | "int32" | "int8" | "bool";

/** A size, or the name of one that is known only at each run. */
export type Dimension = number | string;

/** An input or output of a model. */
export interface ModelValue {
  readonly name: string;
  readonly dtype: ModelDType;
  readonly dims: readonly Dimension[];
}

/** An attribute: integers are written as INT or INTS, `{ float }` as FLOAT or FLOATS. */
export type ModelAttribute =
  | number
  | readonly number[]
  | string
  | { readonly float: number | readonly number[] };

export interface ModelNode {
  readonly operator: string;
  /** Empty is ONNX's own. */
  readonly domain: string;
  /** Empty where an optional one is left out. */
  readonly inputs: readonly string[];
  /** Empty where an optional one is left out. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, ModelAttribute>>;
}

/** A constant: a scalar without `dims`. */
export interface ModelConstant {
  readonly name: string;
  readonly dtype: ModelDType;
  readonly dims: readonly number[];
  /** Row-major; of bool, 0 and 1. */
  readonly values: readonly number[];
}

export interface ModelGraph {
  /** Version of ONNX's own operators. */
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
  int8: DataType.INT8,
  bool: DataType.BOOL,
};

/** The oldest format version that may hold an opset: https://onnx.ai/onnx/repo-docs/Versioning.html. */
function irVersion(opset: number): bigint {
  if (opset <= 18) return 8n;
  if (opset <= 20) return 9n;
  if (opset <= 22) return 10n;
  if (opset === 23) return 11n;
  if (opset === 24) return 12n;
  return opset <= 27 ? 13n : 14n;
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
      name: "graph",
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
    name: `${node.operator}_${node.outputs.find((name) => name !== "")}`,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, value]) =>
      create(AttributeProtoSchema, { name, ...attributeContent(value) }),
    ),
  });
}

function attributeContent(value: ModelAttribute): MessageInitShape<typeof AttributeProtoSchema> {
  if (typeof value === "number") return { type: AttributeType.INT, i: BigInt(value) };
  if (typeof value === "string") {
    return { type: AttributeType.STRING, s: getTextEncoding().encodeUtf8(value) };
  }
  if (!("float" in value)) return { type: AttributeType.INTS, ints: value.map(BigInt) };
  const { float } = value;
  return typeof float === "number"
    ? { type: AttributeType.FLOAT, f: float }
    : { type: AttributeType.FLOATS, floats: [...float] };
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
  return encodeData(name, dtype, dims, elementsOf(dtype, values));
}

/** Numbers as the elements of a tensor. */
export function elementsOf(dtype: ModelDType, values: ArrayLike<number>): ArrayBufferView {
  switch (dtype) {
    case "float64":
      return Float64Array.from(values);
    case "float32":
      return Float32Array.from(values);
    case "float16":
      return Uint16Array.from(values, numberToFloat16Bits);
    case "int64":
      return BigInt64Array.from(values, BigInt);
    case "int32":
      return Int32Array.from(values);
    case "int8":
      return Int8Array.from(values);
    case "bool":
      return Uint8Array.from(values);
  }
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
  return toBinary(TensorProtoSchema, encodeData(name, dtype, dims, data));
}

function encodeData(
  name: string,
  dtype: ModelDType,
  dims: readonly number[],
  data: ArrayBufferView,
): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: dims.map((size) => BigInt(size)),
    dataType: dataTypes[dtype],
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
  });
}
