import {
  TensorProto_DataType as DataType,
  type TypeProto,
  type ValueInfoProto,
} from "@heed/backend-onnx/proto";
import type { GraphNode, ModelGraph } from "./graph.js";

/** Operators whose result is of one type, whatever they read. */
const fixed: Readonly<Record<string, DataType>> = {
  And: DataType.BOOL,
  ArgMax: DataType.INT64,
  ArgMin: DataType.INT64,
  Equal: DataType.BOOL,
  Greater: DataType.BOOL,
  GreaterOrEqual: DataType.BOOL,
  IsInf: DataType.BOOL,
  IsNaN: DataType.BOOL,
  Less: DataType.BOOL,
  LessOrEqual: DataType.BOOL,
  NonZero: DataType.INT64,
  Not: DataType.BOOL,
  Or: DataType.BOOL,
  Shape: DataType.INT64,
  Size: DataType.INT64,
  Xor: DataType.BOOL,
};

/** Operators whose result has the type of their first input. */
const same = new Set([
  ...["Abs", "Add", "AveragePool", "BatchNormalization", "Ceil", "Clip", "Concat", "Conv", "Cos"],
  ...["ConvTranspose", "CumSum", "DepthToSpace", "Div", "Dropout", "Einsum", "Elu", "Erf", "Exp"],
  ...["Expand", "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm"],
  ...["GlobalAveragePool", "GroupNormalization", "HardSigmoid", "HardSwish", "Identity"],
  ...["InstanceNormalization", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax", "MatMul"],
  ...["Max", "MaxPool", "Mean", "Min", "Mod", "Mul", "Neg", "Pad", "Pow", "RMSNormalization"],
  ...["Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"],
  ...["Relu", "Reshape", "Resize", "RotaryEmbedding", "Round", "ScatterElements", "ScatterND"],
  ...["Sigmoid", "SimplifiedLayerNormalization", "Sin", "SkipLayerNormalization", "Slice"],
  ...["Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Swish"],
  ...["Tanh", "Tile", "Transpose", "Trilu", "Unsqueeze"],
]);

/** Element types of values, as far as the file says them. */
export class ElementTypes {
  readonly #graph: ModelGraph;
  readonly #declared: ReadonlyMap<string, ValueInfoProto>;
  readonly #known = new Map<string, DataType | undefined>();

  constructor(graph: ModelGraph) {
    this.#graph = graph;
    const { input, valueInfo, output } = graph.proto;
    this.#declared = new Map([...valueInfo, ...output, ...input].map((one) => [one.name, one]));
  }

  /** Undefined where the file does not say it. Without recursion: graphs are deep. */
  of(value: string): DataType | undefined {
    const path: string[] = [];
    let found: DataType | undefined;
    for (let name: string | undefined = value; name !== undefined; ) {
      if (this.#known.has(name)) {
        found = this.#known.get(name);
        break;
      }
      path.push(name);
      this.#known.set(name, undefined); // stands until the value is found, and ends circles
      found = this.#said(name);
      if (found !== undefined) break;
      name = sameAs(this.#graph.producer(name), name);
    }
    for (const name of path) this.#known.set(name, found);
    return found;
  }

  #said(name: string): DataType | undefined {
    const weight = this.#graph.initializers.get(name);
    if (weight) return weight.dataType;
    const declared = elementTypeOf(this.#declared.get(name)?.type);
    if (declared) return declared;
    const node = this.#graph.producer(name);
    if (node?.operator === "Cast") return node.integer("to");
    const constant = node?.attribute("value")?.t?.dataType;
    if (node?.operator === "Constant" || node?.operator === "ConstantOfShape") return constant;
    return node && node.outputs[0] === name ? fixed[node.operator] : undefined;
  }
}

/** The input whose type a node's result has. */
function sameAs(node: GraphNode | undefined, result: string): string | undefined {
  if (!node) return undefined;
  if (node.operator === "Where") return node.inputs[1];
  const first = node.outputs[0] === result || node.operator === "Split";
  return first && same.has(node.operator) ? node.inputs[0] : undefined;
}

function elementTypeOf(type: TypeProto | undefined): DataType | undefined {
  return type?.value.case === "tensorType" ? type.value.value.elemType : undefined;
}
