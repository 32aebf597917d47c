import type { GraphNode } from "../graph/graph.js";

/** Changes of layout between a value of the graph and an operand of attention. */
export type LayoutStep =
  /** `perm` of Transpose. */
  | { readonly kind: "transpose"; readonly axes: readonly number[] }
  /** An axis of size 1 put in. */
  | { readonly kind: "unsqueeze"; readonly axis: number }
  /**
   * Heads repeated one after another: `[…, heads, …]` becomes `[…, heads·n, …]` along `axis` of a tensor of rank
   * 4. `shape` is the value that says its sizes, or those themselves with NaN where they are the call's.
   */
  | { readonly kind: "repeat"; readonly axis: number; readonly shape: string | readonly number[] };

/** Query, key or value: a value of the graph, and how its axes become `[…, length, size]`. */
export interface Operand {
  readonly value: string;
  readonly steps: readonly LayoutStep[];
  /** Constant factor that is applied by the scale of the attention. */
  readonly factor: number;
}

/** A number: constant, or a value of the graph that has one element. */
export type NumberOf = number | { readonly value: string };

/** From dot products to the logits of the softmax, in the order of the graph. */
export type LogitStep =
  | { readonly kind: "scale"; readonly by: NumberOf; readonly divide: boolean }
  | { readonly kind: "tanh" }
  /** `to` is a number of ONNX's element types, of floating point. */
  | { readonly kind: "cast"; readonly to: number }
  /** `factor` is −1 for a value that is subtracted. */
  | { readonly kind: "add"; readonly value: string; readonly factor: 1 | -1 }
  /** Scores stay where the condition is `keep`; elsewhere they are `fill`. */
  | {
      readonly kind: "where";
      readonly condition: string;
      readonly keep: boolean;
      readonly fill: NumberOf;
    }
  | { readonly kind: "atLeast"; readonly limit: number }
  | ShapeStep;

/** A change of leading axes, which leaves rows and columns of the scores alone. */
export type ShapeStep =
  | { readonly kind: "reshape"; readonly shape: string; readonly allowZero: boolean }
  | { readonly kind: "unsqueeze" | "squeeze"; readonly axes: readonly number[] };

/** Attention written out: MatMul, Softmax, MatMul. */
export interface WrittenOut {
  readonly kind: "written-out";
  readonly softmax: GraphNode;
  /** The softmax's axis as the file says it. */
  readonly axis: number;
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
  readonly logits: readonly LogitStep[];
  /** Between the softmax and the second product. */
  readonly weightSteps: readonly ShapeStep[];
  /** Whether NaN of rows that see no key becomes 0. */
  readonly safe: boolean;
  /** For each axis of the output, which of `[…, length, size]` it is; null is as it stands. */
  readonly outputAxes: readonly number[] | null;
}

/** An operator that is attention. */
export interface OperatorForm {
  readonly kind: "operator";
  readonly operator: "Attention" | "MultiHeadAttention" | "GroupQueryAttention" | "PackedAttention";
  readonly node: GraphNode;
}

/** An attention that was found. */
export interface FoundSite {
  readonly name: string;
  readonly form: WrittenOut | OperatorForm;
  /** Every value of the graph that the call reads. */
  readonly inputs: readonly string[];
  /** The value that attention makes. */
  readonly output: string;
  /** The value that the softmax makes; null for an operator. */
  readonly weights: string | null;
  /** Outputs of an operator beside the first. */
  readonly further: readonly string[];
  /** How it was written, in words. */
  readonly spelling: readonly string[];
}

/** A part of the graph that may be attention and is none that is understood. */
export interface NotUnderstood {
  readonly name: string;
  readonly operator: string;
  readonly reason: string;
}
