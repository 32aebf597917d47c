import { InvalidInputError } from "@heed/core";
import type {
  Dimension,
  ModelAttribute,
  ModelConstant,
  ModelDType,
  ModelGraph,
  ModelNode,
  ModelValue,
} from "./model.js";

/** A tensor inside a graph: what a {@link GraphBuilder} calls it. */
export type Value = string;

/** Up to how many elements constants are compared, and equal ones kept once. */
const comparedElements = 16;

/**
 * Builds a graph node by node; each operator returns its results. What an operator takes and means is
 * ONNX's or a runtime's to say, and checked by whoever loads the model.
 *
 * Names are identifiers of C, as ONNX has it. Those of inputs and outputs are the caller's; everything
 * else is given one that they leave free.
 */
export class GraphBuilder {
  readonly #opset: number;
  readonly #nodes: ModelNode[] = [];
  readonly #inputs: ModelValue[] = [];
  readonly #outputs: ModelValue[] = [];
  /** By what they hold. */
  readonly #constants = new Map<string, ModelConstant>();
  /** Names of inputs and outputs, and provisional names of results and constants, which contain a space. */
  readonly #values = new Set<Value>();
  /** Results that are outputs, and the outputs' names: the node that makes one writes it itself. */
  readonly #outputNames = new Map<Value, string>();

  /** @param opset the version of ONNX's own operators; those of other domains are of version 1 */
  constructor(opset: number) {
    this.#opset = opset;
  }

  /**
   * An input of the model, in the order of the calls.
   *
   * @param dims sizes, or names of sizes that are known only at each run
   * @throws InvalidInputError for a name that another input or output has, or no identifier
   */
  input(name: string, dtype: ModelDType, dims: readonly Dimension[]): Value {
    checkIdentifier(name);
    this.#take(name);
    this.#inputs.push({ name, dtype, dims });
    return name;
  }

  /** Whether a value of this name exists: an input, or what an operator or a constant gave. */
  has(name: Value): boolean {
    return this.#values.has(name);
  }

  /**
   * A tensor that is part of the model.
   *
   * @param values the elements, row-major; of bool, 0 and 1
   * @throws InvalidInputError for another number of elements than `dims` has
   */
  constant(dtype: ModelDType, dims: readonly number[], values: ArrayLike<number>): Value {
    const list = Array.from(values);
    const count = dims.reduce((product, size) => product * size, 1);
    if (list.length !== count) {
      throw new InvalidInputError("values", `${count} elements`, `${list.length}`);
    }
    const name = `${dtype} ${this.#constants.size}`;
    const content = shown(list);
    const key = content === null ? name : `${dtype} [${dims.join()}] ${content}`;
    const known = this.#constants.get(key);
    if (known) return known.name;
    this.#take(name);
    this.#constants.set(key, { name, dtype, dims, values: list });
    return name;
  }

  /** A constant without dimensions. */
  scalar(dtype: ModelDType, value: number): Value {
    return this.constant(dtype, [], [value]);
  }

  /** A rank-1 constant of int64: a shape, or axes. */
  integers(...values: readonly number[]): Value {
    return this.constant("int64", [values.length], values);
  }

  /**
   * An operator with one result: `op("Add", [a, b])`.
   *
   * @param inputs in the operator's order; `""` where an optional one is left out
   * @param domain whose operator it is; `""` is ONNX's own
   * @throws InvalidInputError as {@link node}
   */
  op(
    operator: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, ModelAttribute>> = {},
    domain = "",
  ): Value {
    const name = this.#nextName(operator);
    this.#add({ operator, domain, inputs, outputs: [name], attributes });
    return name;
  }

  /**
   * An operator with several results.
   *
   * ```ts
   * const [y, , , scores] = g.node("Attention", [q, k, v], ["Y", "", "", "scores"]);
   * ```
   *
   * @param results what each is called in the model's file, beside the operator's name; `""` where an
   *   optional one is left out
   * @returns a value for each, `""` for one that is left out
   * @throws InvalidInputError for an input that is no value of this graph, a fraction as an attribute
   *   that does not say `float`, or a result's name that is no identifier or there twice
   */
  node<const Results extends readonly string[]>(
    operator: string,
    inputs: readonly Value[],
    results: Results,
    attributes: Readonly<Record<string, ModelAttribute>> = {},
    domain = "",
  ): { readonly [K in keyof Results]: Value } {
    const name = this.#nextName(operator);
    for (const result of results) {
      if (result !== "") checkIdentifier(result);
    }
    const outputs = results.map((result) => result && `${name} ${result}`);
    this.#add({ operator, domain, inputs, outputs, attributes });
    return outputs as unknown as { readonly [K in keyof Results]: Value };
  }

  #nextName(operator: string): Value {
    return `${operator.toLowerCase()} ${this.#nodes.length}`;
  }

  #add(node: ModelNode): void {
    for (const value of node.inputs) {
      if (value !== "") this.#check(value, `${node.operator}'s input`);
    }
    for (const [name, value] of Object.entries(node.attributes)) {
      const fraction = [value].flat().find((one) => typeof one === "number" && one % 1 !== 0);
      if (fraction === undefined) continue;
      const argument = `${node.operator}'s ${name}`;
      throw new InvalidInputError(argument, "integers, or { float: … }", `${fraction}`);
    }
    for (const result of node.outputs) {
      if (result !== "") this.#take(result);
    }
    this.#nodes.push(node);
  }

  #check(value: Value, argument: string): void {
    if (this.#values.has(value)) return;
    throw new InvalidInputError(argument, "a value of this graph", JSON.stringify(value));
  }

  #take(name: string): void {
    if (this.#values.has(name)) {
      throw new InvalidInputError("name", "one that nothing else has", JSON.stringify(name));
    }
    this.#values.add(name);
  }

  /** An element type for another. */
  cast(value: Value, from: ModelDType, to: ModelDType): Value {
    if (from === to) return value;
    // The types' numbers in TensorProto.
    const number = { float32: 1, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11 }[
      to
    ];
    return this.op("Cast", [value], { to: number });
  }

  /** 0 copies an axis of the input, −1 is what is left. */
  reshape(value: Value, ...shape: readonly number[]): Value {
    return this.op("Reshape", [value, this.integers(...shape)]);
  }

  /** Along one axis, the last if left out, which stays with size 1; from opset 18 on. */
  reduce(operator: "ReduceMax" | "ReduceMin" | "ReduceSum", value: Value, axis = -1): Value {
    return this.op(operator, [value, this.integers(axis)], { keepdims: 1 });
  }

  /**
   * Makes a value an output of the model under a name of its own.
   *
   * @throws InvalidInputError as {@link input}, or for no value of this graph
   */
  output(name: string, value: Value, dtype: ModelDType, dims: readonly Dimension[]): void {
    this.#check(value, "value");
    checkIdentifier(name);
    this.#take(name);
    this.#outputs.push({ name, dtype, dims });
    const result = this.#nodes.some(({ outputs }) => outputs.includes(value));
    const taken = this.#outputNames.has(value);
    this.#outputNames.set(result && !taken ? value : this.op("Identity", [value]), name);
  }

  /** The graph so far, for `encodeModel`. */
  build(): ModelGraph {
    const given = new Set([...this.#inputs, ...this.#outputs].map(({ name }) => name));
    const named = (value: Value): string => {
      const output = this.#outputNames.get(value);
      if (output !== undefined || !value.includes(" ")) return output ?? value;
      let name = value.replaceAll(" ", "_");
      while (given.has(name)) name += "_";
      return name;
    };
    return {
      opset: this.#opset,
      nodes: this.#nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(named),
        outputs: node.outputs.map(named),
      })),
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      constants: [...this.#constants.values()].map((constant) => ({
        ...constant,
        name: named(constant.name),
      })),
    };
  }
}

function checkIdentifier(name: string): void {
  if (/^[A-Za-z_]\w*$/.test(name)) return;
  throw new InvalidInputError("name", "letters, digits and _", JSON.stringify(name));
}

/** Text that equal constants share; equal elements are shown once, as a constant may be as long as a head. */
function shown(values: readonly number[]): string | null {
  const equal = values.every((value) => Object.is(value, values[0]));
  if (!equal && values.length > comparedElements) return null;
  const list = equal ? values.slice(0, 1) : values;
  return list.map((value) => (Object.is(value, -0) ? "-0" : value)).join();
}
