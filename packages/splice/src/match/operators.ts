import type { GraphNode } from "../graph/graph.js";
import type { FoundSite, OperatorForm } from "./form.js";

const operators: Readonly<Record<string, OperatorForm["operator"]>> = {
  Attention: "Attention",
  "com.microsoft.MultiHeadAttention": "MultiHeadAttention",
  "com.microsoft.GroupQueryAttention": "GroupQueryAttention",
  "com.microsoft.Attention": "PackedAttention",
};

/** Operators of ONNX Runtime that are attention of another kind. */
export const unknownOperators: Readonly<Record<string, string>> = {
  "com.microsoft.PackedAttention": "tokens without padding, with offsets of their own",
  "com.microsoft.PackedMultiHeadAttention": "tokens without padding, with offsets of their own",
  "com.microsoft.DecoderMaskedMultiHeadAttention": "beams and caches in a layout of its own",
  "com.microsoft.DecoderMaskedSelfAttention": "beams and caches in a layout of its own",
  "com.microsoft.DecoderAttention": "projections and caches in a layout of its own",
  "com.microsoft.LongformerAttention": "global tokens",
  "com.microsoft.QAttention": "quantised products",
  "com.microsoft.QOrderedAttention": "quantised products",
  "com.microsoft.SparseAttention": "block-sparse rows",
  "com.microsoft.PagedAttention": "a paged cache",
  "com.microsoft.GatedRelativePositionBias": "a bias alone",
  "com.microsoft.LinearAttention": "another operation",
};

/** An operator that is attention by its name. */
export function readOperator(node: GraphNode): FoundSite | undefined {
  const operator = operators[node.operator];
  if (!operator) return undefined;
  const [output, ...further] = node.outputs;
  return {
    name: node.name || (output as string),
    form: { kind: "operator", operator, node },
    inputs: [...new Set(node.inputs.filter((name) => name !== ""))],
    output: output as string,
    weights: null,
    further: further.filter((name) => name !== ""),
    spelling: [`operator ${node.operator}`],
  };
}
