import { type FloatDType, type MergeProblem, statisticsDType } from "@heed/core";
import { type StorageTraits, storedDType } from "../attention/graph/spec.js";
import { GraphBuilder, type Value } from "../model/builder.js";
import { encodeModel } from "../model/model.js";
import type { SessionModel } from "../runtime/sessions.js";

/** The version of ONNX's operators since when every one that is used has had its meaning. */
const opset = 18;

/** The lowest finite value. */
const lowest: Readonly<Record<"float64" | "float32", number>> = {
  float64: -Number.MAX_VALUE,
  float32: -3.4028234663852886e38,
};

/** Everything that a graph of merging depends on; the number of rows and the size of values are symbolic. */
export interface MergeSpec {
  readonly parts: number;
  /** Element types in the graph: of the parts' outputs, and of their log-sum-exp. */
  readonly stored: FloatDType;
  readonly logSumExpStored: FloatDType;
  /** Element type of the sums of outputs, and of the log-sum-exp that is returned. */
  readonly compute: "float64" | "float32";
  /** Element type in which log-sum-exp are subtracted: the wider one of `compute` and their own. */
  readonly statistics: "float64" | "float32";
  /** Whether outputs have elements: without any, the graph gives the log-sum-exp alone. */
  readonly values: boolean;
  /** Whether the provider's ±∞ are those of IEEE 754. */
  readonly infinities: boolean;
}

export function mergeSpec(
  { parts, dtype, logSumExpDType, valueDim }: MergeProblem,
  traits: StorageTraits & { readonly infinities: boolean },
): MergeSpec {
  const compute = statisticsDType(dtype);
  return {
    parts,
    stored: storedDType(dtype, traits),
    logSumExpStored: storedDType(logSumExpDType, traits),
    compute,
    statistics: compute === "float64" ? compute : statisticsDType(logSumExpDType),
    values: valueDim > 0,
    infinities: traits.infinities,
  };
}

/** The session of a graph: equal specs share one. */
export function mergeModel(spec: MergeSpec): SessionModel {
  return { key: `merge ${JSON.stringify(spec)}`, model: () => encodeModel(mergeGraph(spec)) };
}

/** Names of a part's inputs in a graph. */
export function partNames(part: number): { readonly output: string; readonly logSumExp: string } {
  return { output: `output${part}`, logSumExp: `logSumExp${part}` };
}

/**
 * Merging of partial attention from plain operators, computed in float32, or float64 for float64. Inputs, for
 * each part: `output0` `[rows, valueDim]` and `logSumExp0` `[rows, 1]`. Outputs: `output` and `logSumExp` of
 * the same shapes.
 *
 * Parts are combined two at a time: a concatenation of all of them would copy them once more, and a shader
 * binds only a few tensors.
 */
export function mergeGraph(spec: MergeSpec): ReturnType<GraphBuilder["build"]> {
  const g = new GraphBuilder(opset);
  const { stored, logSumExpStored, compute, statistics, values, infinities } = spec;
  const parts = Array.from({ length: spec.parts }, (_, part) => partNames(part));
  const outputs = values
    ? parts.map(({ output }) =>
        g.cast(g.input(output, stored, ["rows", "valueDim"]), stored, compute),
      )
    : [];
  const logSumExps = parts.map(({ logSumExp }) =>
    g.cast(g.input(logSumExp, logSumExpStored, ["rows", 1]), logSumExpStored, statistics),
  );
  const all = (operator: "Add" | "Max", given: readonly Value[]): Value =>
    given.reduce((left, right) => g.op(operator, [left, right]));
  const [zero, one, low, minusInfinity] = [0, 1, lowest[statistics], Number.NEGATIVE_INFINITY].map(
    (value) => g.scalar(statistics, value),
  ) as [Value, Value, Value, Value];

  // Whether a part saw a key. WGSL lets a compiler assume that nothing is infinite, so that providers on a GPU
  // compare with a finite number. They may take NaN for a part that saw none.
  const seen = logSumExps.map((lse) =>
    infinities
      ? g.op("Not", [g.op("Equal", [lse, minusInfinity])])
      : g.op("GreaterOrEqual", [lse, low]),
  );
  // −∞ − −∞ is NaN: a row that saw no key subtracts a finite number instead. The maximum may leave NaN out,
  // but the exponential of NaN less any number is NaN, and so is the sum.
  const offset = g.op("Max", [all("Max", logSumExps), low]);
  const exponentials = logSumExps.map((lse, part) => {
    const exponential = g.op("Exp", [g.op("Sub", [lse, offset])]);
    return infinities ? exponential : g.op("Where", [seen[part] as Value, exponential, zero]);
  });
  const sum = all("Add", exponentials);
  // Not "greater than 0", which is false of NaN.
  const empty = g.op("Equal", [sum, zero]);
  const divisor = g.op("Where", [empty, one, sum]);
  const total = g.op("Add", [offset, g.op("Log", [divisor])]);
  const logSumExp = g.op("Where", [empty, minusInfinity, total]);

  if (values) {
    const none = g.scalar(compute, 0);
    // A weight of 0 would leave the NaN and ∞ of a part that saw no key. Weights are divided before they
    // multiply, since a sum of outputs that is divided afterwards overflows where their mean does not.
    const weighted = outputs.map((output, part) => {
      const weight = g.op("Div", [exponentials[part] as Value, divisor]);
      const chosen = g.op("Where", [seen[part] as Value, output, none]);
      return g.op("Mul", [chosen, g.cast(weight, statistics, compute)]);
    });
    const merged = g.cast(all("Add", weighted), compute, stored);
    g.output("output", merged, stored, ["rows", "valueDim"]);
  }
  g.output("logSumExp", g.cast(logSumExp, statistics, compute), compute, ["rows", 1]);
  return g.build();
}
