import { describeValue, InvalidInputError } from "../errors.js";
import { isInt32, isList, reading } from "../options.js";
import { readHostTensor } from "../tensor/host-tensor.js";
import { elementCount, isRowMajor } from "../tensor/layout.js";
import type { HostTensor } from "../tensor/tensor.js";
import { copyRowMajor } from "../tensor/values.js";
import { Expression } from "./expression.js";
import { type NumberOperand, numericOperands, wrongOperands } from "./operations.js";
import { isProgramType, type NumericType, type ProgramType, programLimits } from "./types.js";

/**
 * A tensor that programs look values up in. It is data of the call: a program knows only its rank and
 * dtype, and programs that differ in their tables' data alone share one plan.
 */
export class Table<T extends ProgramType = ProgramType> {
  readonly #tensor: HostTensor;
  readonly type: T;
  readonly rank: number;

  /** @internal Use {@link table}. */
  constructor(tensor: HostTensor, type: T) {
    this.#tensor = tensor;
    this.type = type;
    this.rank = tensor.shape.length;
    Object.freeze(this);
  }

  /** The tensor as it was given: its elements are read at each call. */
  get tensor(): HostTensor {
    return this.#tensor;
  }

  /**
   * The element at some indices, one an axis. An index outside of its axis counts as the nearest one
   * inside, on every backend; so an axis of size 1 holds for every index.
   *
   * @throws InvalidInputError unless there are as many int32 indices as axes
   */
  at(...indices: readonly NumberOperand[]): Expression<T> {
    const name = "table.at";
    if (indices.length !== this.rank) {
      throw new InvalidInputError(
        name,
        `${this.rank} indices, one for each axis of shape [${this.#tensor.shape.join(", ")}]`,
        `${indices.length}`,
      );
    }
    const { type, args } = numericOperands(name, indices);
    if (type !== "int32") throw wrongOperands(name, "int32 indices", indices);
    return new Expression(this.type, { kind: "table", source: this, args });
  }

  static is(value: unknown): value is Table {
    return typeof value === "object" && value !== null && #tensor in value;
  }
}

type TypeOf<D> = D extends "int32" ? "int32" : D extends "float32" ? "float32" : "bool";

/**
 * A table over a host tensor of dtype int32, float32 or bool, rank 1 to 4, no size 0. The tensor is not copied:
 * it must not change while a call runs, and what it holds then counts.
 *
 * @throws InvalidInputError naming `table`
 */
export function table<D extends ProgramType>(tensor: HostTensor<D>): Table<TypeOf<D>> {
  return readTable("table", tensor) as Table<TypeOf<D>>;
}

function readTable(argument: string, tensor: unknown): Table {
  const given = readHostTensor(argument, tensor as HostTensor);
  const { dtype, shape } = given;
  if (!isProgramType(dtype)) {
    throw new InvalidInputError(argument, "a tensor of int32, float32 or bool", dtype);
  }
  if (shape.length < 1 || shape.length > programLimits.rank || shape.includes(0)) {
    throw new InvalidInputError(
      argument,
      `a tensor of 1 to ${programLimits.rank} axes, none of size 0`,
      `shape [${shape.join(", ")}]`,
    );
  }
  return new Table(given, dtype);
}

/** A number or bool whose value may change from call to call, without a new plan. */
export class Scalar<T extends ProgramType = ProgramType> extends Expression<T> {
  /** Shared with the expression's node, which identifies the scalar. */
  readonly #cell: { value: number };

  /** @internal Use {@link scalar}. */
  constructor(type: T, cell: { value: number }) {
    super(type, { kind: "scalar", source: cell });
    this.#cell = cell;
    scalars.set(cell, this);
  }

  /** The value of later calls; a call reads it when it is made. */
  get value(): T extends "bool" ? boolean : number {
    const { value } = this.#cell;
    return (this.type === "bool" ? value !== 0 : value) as T extends "bool" ? boolean : number;
  }

  set value(value: T extends "bool" ? boolean : number) {
    this.#cell.value = scalarValue("scalar.value", this.type, value);
  }
}

/** The scalar of the cell that an expression's node names. */
const scalars = new WeakMap<object, Scalar>();

/** The scalar that a node of kind `"scalar"` names. */
export function scalarOf(source: object): Scalar {
  return scalars.get(source) as Scalar;
}

/**
 * A scalar whose `value` may be set between calls. The type is that of the first value: bool, int32 for an
 * integer, otherwise float32; or as given, since 1 may become 0.5 later.
 *
 * @throws InvalidInputError naming `scalar`
 */
export function scalar(value: boolean): Scalar<"bool">;
export function scalar(value: number): Scalar<NumericType>;
export function scalar<T extends NumericType>(value: number, type: T): Scalar<T>;
export function scalar(value: unknown, type?: unknown): Scalar {
  const given =
    type ?? (typeof value === "boolean" ? "bool" : isInt32(value) ? "int32" : "float32");
  if (!isProgramType(given)) {
    throw new InvalidInputError("scalar", 'type "int32", "float32" or "bool"', describeValue(type));
  }
  return new Scalar(given, { value: scalarValue("scalar", given, value) });
}

/**
 * The number that a scalar of a type keeps for a value.
 *
 * @throws InvalidInputError
 */
export function scalarValue(argument: string, type: ProgramType, value: unknown): number {
  if (type === "bool") {
    if (typeof value === "boolean") return value ? 1 : 0;
    throw new InvalidInputError(argument, "a boolean", describeValue(value));
  }
  if (typeof value !== "number" || Number.isNaN(value) || (type === "int32" && !isInt32(value))) {
    const expected = type === "int32" ? "a 32-bit integer" : "a number";
    throw new InvalidInputError(argument, expected, describeValue(value));
  }
  return type === "int32" ? value | 0 : Math.fround(value);
}

/** A table's data at a call: row-major. */
export interface TableData {
  readonly dtype: ProgramType;
  readonly shape: readonly number[];
  /** Elements in row-major order; a bool is true unless it is 0. */
  readonly data: Int32Array | Float32Array | Uint8Array;
}

/** A table's present data; copied only if it is not row-major. */
export function tableData(table: Table): TableData {
  const tensor = readHostTensor("table", table.tensor) as HostTensor;
  const dense = isRowMajor(tensor) ? tensor : copyRowMajor(tensor);
  const data = dense.data as Int32Array | Float32Array | Uint8Array;
  const count = elementCount(dense.shape);
  return {
    dtype: table.type,
    shape: dense.shape,
    data: data.subarray(dense.offset, dense.offset + count),
  };
}

/** The tables that a caller gives as tables or as tensors. */
export function readTables(argument: string, value: unknown): readonly Table[] {
  if (value === undefined) return [];
  if (!isList(value))
    throw new InvalidInputError(argument, "an array of tables", describeValue(value));
  return reading(argument, () =>
    Array.from(value, (entry, slot) =>
      Table.is(entry) ? entry : readTable(`${argument}[${slot}]`, entry),
    ),
  );
}
