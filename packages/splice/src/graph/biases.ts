import { create } from "@bufbuild/protobuf";
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "@heed/backend-onnx/proto";
import { clone } from "./clone.js";
import { Folder } from "./fold.js";
import { type GraphNode, ModelGraph } from "./graph.js";
import { Sizes } from "./sizes.js";

/** Places of MultiHeadAttention's query, key, value and their bias among its inputs. */
const [queryAt, keyAt, valueAt, biasAt] = [0, 1, 2, 3] as const;

/**
 * The graph with the biases of com.microsoft's MultiHeadAttention as nodes of their own before it: the runtime adds
 * them where query, key and value are, which may be on a GPU. Only where the file says their sizes; the operator
 * keeps its bias otherwise.
 */
export function withBiasesApart(graph: ModelGraph): ModelGraph {
  // Slice has its bounds as inputs from opset 10 on.
  if (graph.opset < 10) return graph;
  const sizes = new Sizes(graph, new Folder(graph));
  const parts = new Map(
    graph.nodes.flatMap((node) => {
      const apart = biasApart(node, sizes);
      return apart ? [[node.proto, apart] as const] : [];
    }),
  );
  if (parts.size === 0) return graph;
  const proto = clone<GraphProto>(graph.proto, {
    node: graph.proto.node.flatMap((node) => parts.get(node)?.nodes ?? [node]),
    initializer: [
      ...graph.proto.initializer,
      ...[...parts.values()].flatMap(({ bounds }) => bounds),
    ],
  });
  return new ModelGraph(clone<ModelProto>(graph.model, { graph: proto }));
}

interface Apart {
  readonly nodes: readonly NodeProto[];
  readonly bounds: readonly TensorProto[];
}

function biasApart(node: GraphNode, sizes: Sizes): Apart | undefined {
  if (node.operator !== "com.microsoft.MultiHeadAttention") return undefined;
  const bias = node.inputs[biasAt] ?? "";
  const operands = [queryAt, keyAt, valueAt].map((at) => node.inputs[at] ?? "");
  const told = operands.map((name) => sizes.of(name));
  const width = told[queryAt]?.at(-1);
  const known = told.every((one) => one?.length === 3) && width !== undefined && width > 0;
  if (bias === "" || !known) return undefined;
  const own = `${node.name || node.outputs[0]}::bias`;
  const bounds = [0, width, 2 * width, Number.MAX_SAFE_INTEGER].map((at) => bound(own, at));
  const nameOf = (at: number): string => (bounds[at] as TensorProto).name;
  const inputs = [...node.inputs];
  inputs[biasAt] = "";
  const nodes = operands.flatMap((operand, at) => {
    const [part, sum] = [`${own}${at}`, `${own}${at}::sum`];
    inputs[at] = sum;
    return [
      made("Slice", [bias, nameOf(at), nameOf(at + 1)], part),
      made("Add", [operand, part], sum),
    ];
  });
  return { nodes: [...nodes, clone<NodeProto>(node.proto, { input: inputs })], bounds };
}

function made(opType: string, input: string[], output: string): NodeProto {
  return create(NodeProtoSchema, { opType, name: output, input, output: [output] });
}

/** A bound of Slice along its first axis. */
function bound(own: string, at: number): TensorProto {
  return create(TensorProtoSchema, {
    name: `${own}::${at}`,
    dataType: DataType.INT64,
    dims: [1n],
    int64Data: [BigInt(at)],
  });
}
