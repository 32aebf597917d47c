import type {
  Dimension,
  ModelAttribute,
  ModelConstant,
  ModelDType,
  ModelGraph,
  ModelNode,
  ModelValue,
} from "../model/model.js";

/** The name of a tensor inside a graph. */
export type Value = string;

/** Builds a graph node by node; each operator returns the name of its result. */
export class GraphBuilder {
  readonly #opset: number;
  readonly #nodes: ModelNode[] = [];
  readonly #inputs: ModelValue[] = [];
  readonly #outputs: ModelValue[] = [];
  readonly #constants = new Map<string, ModelConstant>();
  /** Results that are outputs, and the outputs' names: the node that makes one writes it itself. */
  readonly #outputNames = new Map<Value, string>();

  constructor(opset: number) {
    this.#opset = opset;
  }

  input(name: string, dtype: ModelDType, dims: readonly Dimension[]): Value {
    this.#inputs.push({ name, dtype, dims });
    return name;
  }

  scalar(dtype: ModelDType, value: number): Value {
    return this.#constant(dtype, [], [value]);
  }

  /** A rank-1 constant of equal elements. */
  repeated(dtype: ModelDType, value: number, count: number): Value {
    return this.#constant(dtype, [count], new Array<number>(count).fill(value));
  }

  /** A rank-1 constant of int64: a shape, or axes. */
  integers(...values: readonly number[]): Value {
    return this.#constant("int64", [values.length], values);
  }

  #constant(dtype: ModelDType, dims: readonly number[], values: readonly number[]): Value {
    const kind = `${dtype}${dims.length > 0 ? `[${dims.join(", ")}]` : ""}`;
    // Equal elements once: a vector of one number is as long as a head.
    const shown = new Set(values).size === 1 ? [values[0]] : values;
    const name = `${kind} ${shown.join(" ")}`;
    if (!this.#constants.has(name)) this.#constants.set(name, { name, dtype, dims, values });
    return name;
  }

  /** @param unread results of the operator beside the first, which nobody reads */
  op(
    operator: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, ModelAttribute>> = {},
    domain = "",
    unread = 0,
  ): Value {
    const result = `${operator.toLowerCase()}${this.#nodes.length}`;
    const others = Array.from({ length: unread }, (_, i) => `${result} unread ${i}`);
    this.#nodes.push({ operator, domain, inputs, outputs: [result, ...others], attributes });
    return result;
  }

  cast(value: Value, from: ModelDType, to: ModelDType): Value {
    if (from === to) return value;
    // The types' numbers in TensorProto.
    const number = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11 }[to];
    return this.op("Cast", [value], { to: number });
  }

  /** 0 copies an axis of the input, −1 is what is left. */
  reshape(value: Value, ...shape: readonly number[]): Value {
    return this.op("Reshape", [value, this.integers(...shape)]);
  }

  /** Along the last axis, which stays with size 1. */
  reduce(operator: "ReduceMax" | "ReduceMin" | "ReduceSum", value: Value, axis = -1): Value {
    return this.op(operator, [value, this.integers(axis)], { keepdims: 1 });
  }

  /** Makes a value an output under a name of its own. */
  output(name: string, value: Value, dtype: ModelDType, dims: readonly Dimension[]): void {
    this.#outputs.push({ name, dtype, dims });
    const result = this.#nodes.some(({ outputs }) => outputs.includes(value));
    const taken = this.#outputNames.has(value);
    this.#outputNames.set(result && !taken ? value : this.op("Identity", [value]), name);
  }

  build(): ModelGraph {
    const named = (value: Value): Value => this.#outputNames.get(value) ?? value;
    return {
      opset: this.#opset,
      nodes: this.#nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(named),
        outputs: node.outputs.map(named),
      })),
      inputs: this.#inputs,
      outputs: this.#outputs,
      constants: [...this.#constants.values()],
    };
  }
}
