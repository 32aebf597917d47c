import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "@heed/backend-onnx/proto";
import { noise, type TestModel } from "./writer.js";

/** The sizes of a model into which traps are planted. */
export interface Plot {
  /** Keys of the first attention. */
  readonly keys: number;
  /** Axes of its scores; default 4. */
  readonly rank?: number;
  readonly opset?: number;
  /** Elements of the model's first output in its last axis. */
  readonly width?: number;
}

/**
 * A model with traps planted around its first attention. The scores are used elsewhere as well, as an output. A mask
 * with an axis of its own spreads them, so that the same nodes with the same values make other sizes. A layer whose
 * softmax mixes fixed vectors follows the first output, and is written as attention is: MatMul, Add, Softmax, MatMul.
 */
export function planted(
  { bytes, feeds }: TestModel,
  { keys, rank = 4, opset = 13, width = 8 }: Plot,
): TestModel {
  const model = fromBinary(ModelProtoSchema, bytes);
  const graph = model.graph as GraphProto;
  const softmax = graph.node.find(({ opType }) => opType === "Softmax") as NodeProto;
  const [logits, weights] = [softmax.input[0] as string, softmax.output[0] as string];

  const constant = (name: string, dims: readonly number[]): string => {
    const count = dims.reduce((product, size) => product * size, 1);
    const rawData = new Uint8Array(noise(count, dims.length).buffer);
    const sizes = dims.map(BigInt);
    graph.initializer.push(create(TensorProtoSchema, { name, dims: sizes, dataType: 1, rawData }));
    return name;
  };
  const op = (opType: string, input: string[], axis?: number): string => {
    const output = `trap_${graph.node.length}`;
    const attribute =
      axis === undefined
        ? []
        : [
            create(AttributeProtoSchema, {
              name: "axis",
              type: AttributeProto_AttributeType.INT,
              i: BigInt(axis),
            }),
          ];
    graph.node.push(
      create(NodeProtoSchema, { opType, name: output, input, output: [output], attribute }),
    );
    return output;
  };
  const output = (name: string): void => {
    const type = { value: { case: "tensorType" as const, value: { elemType: 1 } } };
    graph.output.push(create(ValueInfoProtoSchema, { name, type }));
  };

  // A mask of −∞ leaves something finite, too.
  output(op("Sigmoid", [logits]));

  const mask = constant("trap_mask", [2, ...Array<number>(rank - 1).fill(1), keys]);
  const spread = op("Softmax", [op("Add", [logits, mask])], opset < 13 ? rank : -1);
  const values = valuesOf(graph, weights);
  output(values === null ? spread : op("MatMul", [spread, values]));

  const [first] = graph.output;
  const label = op("MatMul", [first?.name as string, constant("trap_labels", [width, 3])]);
  const labels = op(
    "Softmax",
    [op("Add", [label, constant("trap_bias", [3])])],
    opset < 13 ? 2 : -1,
  );
  output(op("MatMul", [labels, constant("trap_vectors", [3, width])]));
  return { bytes: toBinary(ModelProtoSchema, model), feeds };
}

/** The values that weights are multiplied with; null where Einsum does that. */
function valuesOf({ node }: GraphProto, weights: string): string | null {
  let at = weights;
  for (;;) {
    const reader = node.find(({ input }) => input[0] === at);
    if (reader?.opType === "MatMul") return reader.input[1] as string;
    if (reader?.opType !== "Identity" && reader?.opType !== "Cast") return null;
    at = reader.output[0] as string;
  }
}
