import { create, toBinary } from "@bufbuild/protobuf";
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  type TypeProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "@heed/backend-onnx/proto";
import { clone } from "../graph/clone.js";
import type { GraphNode, ModelGraph } from "../graph/graph.js";

/** A part of a model that runs by itself. */
export interface Piece {
  readonly nodes: readonly GraphNode[];
  /** Values that it is given. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Weights that it holds. */
  readonly weights: readonly string[];
}

/**
 * The nodes that make some values from others, and from the model's weights.
 *
 * @param given whether a value comes from outside
 */
export function extract(
  graph: ModelGraph,
  outputs: readonly string[],
  given: (value: string) => boolean,
): Piece {
  const nodes = new Set<GraphNode>();
  const inputs = new Set<string>();
  const weights = new Set<string>();
  const waiting = [...outputs];
  const seen = new Set<string>();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (given(name)) inputs.add(name);
    else if (graph.isWeight(name)) weights.add(name);
    else {
      const node = graph.producer(name);
      if (!node || nodes.has(node)) continue;
      nodes.add(node);
      waiting.push(...node.reads);
    }
  }
  return {
    nodes: [...nodes].sort((a, b) => a.order - b.order),
    inputs: [...inputs],
    outputs: [...outputs],
    weights: [...weights],
  };
}

/** Element type and sizes of a value, by onnxruntime's names. */
export interface ValueType {
  readonly dtype: string;
  /** Null where not even their number is known; names, and NaN, are sizes of a call. */
  readonly dims: readonly (number | string)[] | null;
}

const types: Readonly<Record<string, DataType>> = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  float16: DataType.FLOAT16,
  int64: DataType.INT64,
  int32: DataType.INT32,
  int16: DataType.INT16,
  int8: DataType.INT8,
  uint64: DataType.UINT64,
  uint32: DataType.UINT32,
  uint16: DataType.UINT16,
  uint8: DataType.UINT8,
  bool: DataType.BOOL,
  string: DataType.STRING,
};

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(types).map(([name, type]) => [type, name]),
);

/** onnxruntime's name for a number of an element type; undefined for one that its JavaScript lacks. */
export function typeName(type: number): string | undefined {
  return names.get(type);
}

/** The type that a file declares for a value. */
export function declaredType(type: TypeProto | undefined): ValueType {
  const tensor = type?.value.case === "tensorType" ? type.value.value : undefined;
  const dims = tensor?.shape?.dim.map(({ value }) =>
    value.case === "dimValue" ? Number(value.value) : value.case === "dimParam" ? value.value : "",
  );
  return { dtype: names.get(tensor?.elemType ?? 0) ?? "float32", dims: dims ?? null };
}

/** A piece as a model of its own. */
export function encodePiece(
  graph: ModelGraph,
  piece: Piece,
  typeOf: (input: string) => ValueType,
): Uint8Array {
  const inside = new Set(piece.nodes.flatMap(({ outputs }) => outputs));
  const { proto } = graph;
  const weights = new Set(piece.weights);
  // A weight cannot be an output; a node's result can.
  const copies = new Map(piece.outputs.filter((name) => weights.has(name)).map(copyOf));
  const part = clone<GraphProto>(proto, {
    node: [
      ...piece.nodes.map(({ proto: node }) => node),
      ...[...copies].map(([from, to]) => identity(from, to)),
    ],
    initializer: proto.initializer.filter(({ name }) => weights.has(name)),
    sparseInitializer: proto.sparseInitializer.filter(({ values }) =>
      weights.has(values?.name ?? ""),
    ),
    input: piece.inputs.map((name) => graphInput(graph, name) ?? valueInfo(name, typeOf(name))),
    output: piece.outputs.map(
      (name) =>
        proto.output.find((one) => one.name === name) ??
        create(ValueInfoProtoSchema, { name: copies.get(name) ?? name }),
    ),
    valueInfo: proto.valueInfo.filter(({ name }) => inside.has(name)),
  });
  return toBinary(
    ModelProtoSchema,
    clone<ModelProto>(graph.model, { graph: part, trainingInfo: [] }),
  );
}

/** The name under which a piece gives a value: another one for a weight. */
export function givenAs(graph: ModelGraph, value: string): string {
  return graph.isWeight(value) ? copyOf(value)[1] : value;
}

/** Files beside the model in which weights of a piece are. */
export function externalFiles(graph: ModelGraph, piece: Piece): string[] {
  const files = new Set<string>();
  for (const name of piece.weights) {
    const location = externalFileOf(graph.initializers.get(name));
    if (location) files.add(location);
  }
  return [...files];
}

/** The file beside the model in which a weight is; undefined for one that is in the model. */
export function externalFileOf(weight: TensorProto | undefined): string | undefined {
  if (weight?.dataLocation !== TensorProto_DataLocation.EXTERNAL) return undefined;
  return weight.externalData.find(({ key }) => key === "location")?.value;
}

function copyOf(name: string): [from: string, to: string] {
  return [name, `${name}::copy`];
}

function identity(from: string, to: string): NodeProto {
  return create(NodeProtoSchema, { opType: "Identity", name: to, input: [from], output: [to] });
}

function graphInput(graph: ModelGraph, name: string): ValueInfoProto | undefined {
  return graph.inputs.find((input) => input.name === name);
}

/** onnxruntime-web 1.30 tells a size that it does not know, −1, as an unsigned number of 32 bits. */
const mostKnown = 2 ** 31;

function valueInfo(name: string, { dtype, dims }: ValueType): ValueInfoProto {
  const dim = dims?.map((size) => ({
    value:
      typeof size === "number" && size >= 0 && size < mostKnown
        ? { case: "dimValue" as const, value: BigInt(size) }
        : { case: undefined },
  }));
  const tensor = { elemType: types[dtype] ?? DataType.FLOAT, ...(dim && { shape: { dim } }) };
  const type = { value: { case: "tensorType" as const, value: tensor } };
  return create(ValueInfoProtoSchema, { name, type: type as unknown as TypeProto });
}
