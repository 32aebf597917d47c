import type { OperationName, ProgramType } from "@heed/core/program";
import type { GraphBuilder, Value } from "../../model/builder.js";
import type { Arithmetic } from "./spec.js";
import { and } from "./visibility.js";

/** Operand of an operation; `constant` is its value if it is the same at each call. */
export interface Operand {
  readonly value: Value;
  readonly constant: number | undefined;
}

const comparisons: Readonly<Partial<Record<OperationName, string>>> = {
  equal: "Equal",
  less: "Less",
  lessEqual: "LessOrEqual",
  greater: "Greater",
  greaterEqual: "GreaterOrEqual",
};

/** Operators that compute what the operation says, of int32 and of floats. */
const direct: Readonly<Partial<Record<OperationName, string>>> = {
  add: "Add",
  subtract: "Sub",
  multiply: "Mul",
  minimum: "Min",
  maximum: "Max",
};

/** Operators that compute what the operation says, of floats. */
const directOfFloats: Readonly<Partial<Record<OperationName, string>>> = {
  negative: "Neg",
  abs: "Abs",
  floor: "Floor",
  sqrt: "Sqrt",
  exp: "Exp",
  tanh: "Tanh",
};

/** The ends of int32, and the greatest float32 below 2^31. */
const [least, greatest, belowGreatest] = [-(2 ** 31), 2 ** 31 - 1, 2 ** 31 - 128];

/**
 * Operations of programs as nodes, with the results that `@heed/core/program` defines. Values have rank 4 and
 * broadcast. Only operators that onnxruntime's CPU and WebGPU providers both have kernels of are used: the
 * latter lacks Mod, Abs and Neg of int32, Or and Equal of bool, the former Where of bool. The quotient
 * of int32 by 0, and of −2^31 by −1, ends the process on some processors: neither reaches a Div.
 */
export class ProgramArithmetic {
  readonly #g: GraphBuilder;
  readonly #arithmetic: Arithmetic;
  readonly #compute: "float64" | "float32";

  constructor(g: GraphBuilder, arithmetic: Arithmetic, compute: "float64" | "float32") {
    this.#g = g;
    this.#arithmetic = arithmetic;
    this.#compute = compute;
  }

  /** A constant of a program's type. */
  constant(type: ProgramType, value: number): Value {
    return this.#g.constant(this.dtype(type), [1, 1, 1, 1], [value]);
  }

  /** The element type of a program's type: floats are computed as the call's statistics are. */
  dtype(type: ProgramType): "int32" | "bool" | "float64" | "float32" {
    return type === "float32" ? this.#compute : type;
  }

  /**
   * The result of an operation.
   *
   * @param type of the operands; of those of `where` that it chooses from
   * @param to type of the result
   */
  apply(
    name: OperationName,
    type: ProgramType,
    to: ProgramType,
    operands: readonly Operand[],
  ): Value {
    const g = this.#g;
    const values = operands.map(({ value }) => value);
    const [a, b] = operands as readonly [Operand, Operand];
    const operator = direct[name] ?? (type === "float32" ? directOfFloats[name] : undefined);
    if (operator) return g.op(operator, values);
    if (type !== "bool" && comparisons[name]) return g.op(comparisons[name], values);
    switch (name) {
      case "equal":
        return this.#equalBools(a.value, b.value);
      case "notEqual":
        return g.op("Not", [this.apply("equal", type, to, operands)]);
      case "and":
        return and(g, this.#arithmetic, a.value, b.value) as Value;
      case "or":
        return this.#or(a.value, b.value);
      case "not":
        return g.op("Not", values);
      case "where":
        return type === "bool" ? this.#whereBool(values) : g.op("Where", values);
      case "astype":
        return this.#convert(a.value, type, to);
      case "negative":
        return g.op("Sub", [this.#int(0), a.value]);
      case "abs":
        return g.op("Max", [a.value, g.op("Sub", [this.#int(0), a.value])]);
      case "log":
        return this.#log(a.value);
      case "divide":
        return this.#divideFloats(a.value, b, (quotient) => quotient);
      case "floorDivide":
        return type === "int32"
          ? this.#divideInts(a, b).quotient()
          : this.#divideFloats(a.value, b, (quotient) => g.op("Floor", [quotient]));
      case "remainder":
        return type === "int32"
          ? this.#divideInts(a, b).remainder()
          : this.#remainderOfFloats(a.value, b);
      default:
        throw new Error(`no nodes for ${name} of ${type}`);
    }
  }

  /** Whether an int32 is not 0. */
  isTrue(value: Value): Value {
    return this.#g.op("Greater", [value, this.#int(0)]);
  }

  #int(value: number): Value {
    return this.constant("int32", value);
  }

  #float(value: number): Value {
    return this.constant("float32", value);
  }

  #asInt(bool: Value): Value {
    return this.#g.cast(bool, "bool", "int32");
  }

  #equalBools(a: Value, b: Value): Value {
    const bools = this.#arithmetic.and;
    return this.#g.op("Equal", bools ? [a, b] : [this.#asInt(a), this.#asInt(b)]);
  }

  #or(a: Value, b: Value): Value {
    const g = this.#g;
    if (this.#arithmetic.and) return g.op("Or", [a, b]);
    return this.isTrue(g.op("Add", [this.#asInt(a), this.#asInt(b)]));
  }

  #whereBool([condition, a, b]: readonly Value[]): Value {
    const [yes, no] = [this.#asInt(a as Value), this.#asInt(b as Value)];
    return this.isTrue(this.#g.op("Where", [condition as Value, yes, no]));
  }

  #convert(value: Value, from: ProgramType, to: ProgramType): Value {
    const g = this.#g;
    if (from === to) return value;
    if (to === "bool") return g.op("Not", [g.op("Equal", [value, this.constant(from, 0)])]);
    if (from === "float32") return this.#floatToInt(value);
    return g.cast(value, this.dtype(from), this.dtype(to));
  }

  /** Rounded towards 0, to the nearest end beyond int32's range, and 0 of NaN: ONNX leaves all but the first open. */
  #floatToInt(value: Value): Value {
    const g = this.#g;
    const number = g.op("Where", [g.op("Equal", [value, value]), value, this.#float(0)]);
    const end = this.#compute === "float64" ? greatest : belowGreatest;
    const within = g.op("Min", [g.op("Max", [number, this.#float(least)]), this.#float(end)]);
    const whole = g.cast(within, this.#compute, "int32");
    const beyond = g.op("GreaterOrEqual", [value, this.#float(2 ** 31)]);
    return g.op("Where", [beyond, this.#int(greatest), whole]);
  }

  /** WGSL leaves the logarithm of 0 open, and −∞ hides a key. */
  #log(value: Value): Value {
    const g = this.#g;
    const log = g.op("Log", [value]);
    if (this.#arithmetic.infinities) return log;
    const isZero = g.op("Equal", [value, this.#float(0)]);
    return g.op("Where", [isZero, this.#float(Number.NEGATIVE_INFINITY), log]);
  }

  /** The quotient after `round`; 0 if the divisor is. */
  #divideFloats(
    a: Value,
    { value: b, constant }: Operand,
    round: (quotient: Value) => Value,
  ): Value {
    const g = this.#g;
    if (constant === 0) return this.#float(0);
    if (constant !== undefined) return round(g.op("Div", [a, b]));
    const isZero = g.op("Equal", [b, this.#float(0)]);
    const divisor = g.op("Where", [isZero, this.#float(1), b]);
    return g.op("Where", [isZero, this.#float(0), round(g.op("Div", [a, divisor]))]);
  }

  #remainderOfFloats(a: Value, b: Operand): Value {
    const g = this.#g;
    if (b.constant === 0) return this.#float(0);
    const quotient = this.#divideFloats(a, b, (quotient) => g.op("Floor", [quotient]));
    const rest = g.op("Sub", [a, g.op("Mul", [quotient, b.value])]);
    if (b.constant !== undefined) return rest;
    return g.op("Where", [g.op("Equal", [b.value, this.#float(0)]), this.#float(0), rest]);
  }

  /** ⌊a / b⌋ and what is left, from a division that rounds towards 0. */
  #divideInts(dividend: Operand, b: Operand): { quotient(): Value; remainder(): Value } {
    const g = this.#g;
    const a = dividend.value;
    const { constant } = b;
    const none = (): Value => this.#int(0);
    const negated = (): Value => g.op("Sub", [this.#int(0), a]);
    if (constant === 0) return { quotient: none, remainder: none };
    if (constant === -1) return { quotient: negated, remainder: none };
    const isZero = constant === undefined ? g.op("Equal", [b.value, this.#int(0)]) : null;
    const isMinusOne = constant === undefined ? g.op("Equal", [b.value, this.#int(-1)]) : null;
    let divisor = b.value;
    for (const special of [isZero, isMinusOne]) {
      if (special) divisor = g.op("Where", [special, this.#int(1), divisor]);
    }
    const truncated = g.op("Div", [a, divisor]);
    // onnxruntime would compute (1 / x) · x as x / x: test/runtime-defects.node.test.ts.
    const rest =
      dividend.constant === 1
        ? g.op("Add", [a, g.op("Mul", [g.op("Sub", [this.#int(0), truncated]), divisor])])
        : g.op("Sub", [a, g.op("Mul", [truncated, divisor])]);
    const wrongSign = this.#isOfOtherSign(rest, divisor, constant);
    return {
      quotient: () => {
        const lower = g.op("Sub", [truncated, this.#int(1)]);
        const floor = g.op("Where", [wrongSign, lower, truncated]);
        if (isZero === null || isMinusOne === null) return floor;
        const ofOthers = g.op("Where", [isMinusOne, negated(), floor]);
        return g.op("Where", [isZero, this.#int(0), ofOthers]);
      },
      remainder: () => g.op("Where", [wrongSign, g.op("Add", [rest, divisor]), rest]),
    };
  }

  /** Whether a remainder that is not 0 has another sign than its divisor. */
  #isOfOtherSign(rest: Value, divisor: Value, constant: number | undefined): Value {
    const g = this.#g;
    const zero = this.#int(0);
    if (constant !== undefined) return g.op(constant > 0 ? "Less" : "Greater", [rest, zero]);
    const negative = g.op("Less", [divisor, zero]);
    const turned = g.op("Where", [negative, g.op("Sub", [zero, rest]), rest]);
    return g.op("Less", [turned, zero]);
  }
}
