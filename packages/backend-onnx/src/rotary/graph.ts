import { type FloatDType, type RotaryProblem, statisticsDType } from "@heed/core";
import { type AxisOrder, canonicalAxes, storedDims } from "../layout/axis-order.js";
import { GraphBuilder, type Value } from "../model/builder.js";
import { encodeModel } from "../model/model.js";
import type { SessionModel } from "../runtime/sessions.js";

/** The version of ONNX's operators since when every one that is used has had its meaning. */
const opset = 18;

/** Everything that a graph of rotary position embedding depends on; batch, heads and length are symbolic. */
export interface RotarySpec {
  /** Element types in the graph: of input and output, and of cosines and sines. */
  readonly stored: FloatDType;
  readonly tableStored: FloatDType;
  /** Element type of the arithmetic. */
  readonly compute: "float64" | "float32";
  readonly headDim: number;
  readonly rotaryDim: number;
  readonly interleaved: boolean;
  readonly order: AxisOrder;
}

/**
 * @param stored the element type in which a graph reads one
 * @param order of the input's axes in memory
 */
export function rotarySpec(
  { dtype, tableDType, headDim, rotaryDim, interleaved }: RotaryProblem,
  stored: (dtype: FloatDType) => FloatDType,
  order: AxisOrder,
): RotarySpec {
  return {
    stored: stored(dtype),
    tableStored: stored(tableDType),
    compute: statisticsDType(dtype),
    headDim,
    rotaryDim,
    interleaved,
    order,
  };
}

/** The session of a graph: equal specs share one. */
export function rotaryModel(spec: RotarySpec): SessionModel {
  return { key: `rotary ${JSON.stringify(spec)}`, model: () => encodeModel(rotaryGraph(spec)) };
}

/**
 * Rotary position embedding from plain operators, computed in float32, or float64 for float64. Inputs:
 * `input` `[B, H, L, D]`, in the order of its axes in memory; `cos` and `sin` `[rows, rotaryDim / 2]`; `rows`,
 * int32 `[B, L]`: the row of the tables that turns a token. Output: `output`.
 *
 * The operator RotaryEmbedding of opset 23 is not used: it wants positions as int64 and tables of the input's
 * dtype, computes float16 in float16, and no provider on a GPU has it.
 */
export function rotaryGraph(spec: RotarySpec): ReturnType<GraphBuilder["build"]> {
  const g = new GraphBuilder(opset);
  const { stored, tableStored, compute, headDim, rotaryDim, order } = spec;
  const half = rotaryDim / 2;
  const dims = ["batch", "heads", "length", headDim];
  const given = canonicalAxes(g, g.input("input", stored, storedDims(dims, order)), order);
  const x = g.cast(given, stored, compute);
  const rows = g.input("rows", "int32", ["batch", "length"]);
  const ofTokens = (name: "cos" | "sin"): Value => {
    const table = g.input(name, tableStored, ["tableRows", half]);
    const gathered = g.op("Gather", [table, rows], { axis: 0 });
    return g.op("Unsqueeze", [g.cast(gathered, tableStored, compute), g.integers(1)]);
  };
  const [cos, sin] = [ofTokens("cos"), ofTokens("sin")];
  const columns = (of: Value, from: number, to: number): Value =>
    g.op("Slice", [of, g.integers(from), g.integers(to), g.integers(3)]);
  const turn = (a: Value, b: Value): [Value, Value] => [
    g.op("Sub", [g.op("Mul", [a, cos]), g.op("Mul", [b, sin])]),
    g.op("Add", [g.op("Mul", [b, cos]), g.op("Mul", [a, sin])]),
  ];
  const turned = rotaryDim === headDim ? x : columns(x, 0, rotaryDim);
  const parts = spec.interleaved
    ? [interleavedPairs(g, turned, half, turn)]
    : turn(columns(x, 0, half), columns(x, half, rotaryDim));
  if (rotaryDim < headDim) parts.push(columns(x, rotaryDim, headDim));
  const whole = parts.length === 1 ? (parts[0] as Value) : g.op("Concat", parts, { axis: 3 });
  g.output("output", g.cast(whole, compute, stored), stored, dims);
  return g.build();
}

/** Neighbours as pairs: `[B, H, L, half, 2]`, of which each column is turned, and back. */
function interleavedPairs(
  g: GraphBuilder,
  x: Value,
  half: number,
  turn: (a: Value, b: Value) => [Value, Value],
): Value {
  const pairs = g.reshape(x, 0, 0, 0, half, 2);
  const member = (at: number): Value => {
    const column = [g.integers(at), g.integers(at + 1), g.integers(4)] as const;
    return g.op("Squeeze", [g.op("Slice", [pairs, ...column]), g.integers(4)]);
  };
  const ends = turn(member(0), member(1)).map((y) => g.op("Unsqueeze", [y, g.integers(4)]));
  return g.reshape(g.op("Concat", ends, { axis: 4 }), 0, 0, 0, 2 * half);
}
