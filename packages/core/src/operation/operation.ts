import { reading } from "../options.js";
import type { DType } from "../tensor/dtype.js";
import type { HostTensor, Tensor } from "../tensor/tensor.js";
import type { Problem, Work } from "./problem.js";

/** One tensor of an operation: an input that is read, an output that is written, or both. */
export interface OperandSpec {
  /** Name of the argument or of the output, e.g. `"query"`, `"logSumExp"`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /**
   * `"read"`: an input. `"write"`: an output, row-major and newly made by the run. `"update"`: an
   * input that is read and written in place; the run returns it as an output of the same name, the
   * very tensor that was given.
   */
  readonly access: "read" | "write" | "update";
}

/**
 * A call with everything optional resolved. It is made synchronously when the call is made, and
 * shares no lengths, offsets or per-head values with the caller, who may change those at once.
 */
export interface Bound<P extends Problem = Problem, Inputs = unknown> {
  readonly problem: P;
  /** The input tensors as given, in the order of the operands that are read or updated. */
  readonly reads: readonly Tensor[];
  /** The same call in the caller's terms: it describes the same problem. */
  readonly inputs: Inputs;
}

/**
 * Something that Heed can compute: a definition, independent of any backend. A backend implements
 * any number of operations; one that it lacks is refused with the reason code `"operation"`.
 *
 * Other inputs or outputs make another operation; the same signature with another meaning is a field
 * of the problem.
 */
export interface Operation<
  Inputs,
  P extends Problem<Inputs, Outputs>,
  Outputs extends object,
  B extends Bound<P, Inputs> = Bound<P, Inputs>,
> {
  /** Stable name, e.g. `"attention"`; problems carry it. */
  readonly name: string;
  /**
   * Validates a call, once and completely, and derives its problem.
   *
   * @throws InvalidInputError naming the argument at fault
   * @throws DisposedError naming a device tensor that was disposed
   */
  describe(inputs: Inputs): P;
  /**
   * Resolves what is optional and copies everything but tensors.
   *
   * @param inputs a call that `describe` has turned into `problem`
   */
  bind(problem: P, inputs: Inputs): B;
  /** Every tensor of a call: first those that are read or updated, in the order of `Bound.reads`. */
  operands(problem: P): readonly OperandSpec[];
  /**
   * The result in float64 on inputs already rounded to their dtype: the oracle that backends are
   * judged by. Outputs are new float64 tensors, those of operands that are updated as well.
   */
  reference(bound: B): Outputs;
  /** The least work of a call. */
  work(bound: B): Work;
}

/** Any operation, for code that does not look into problems or inputs. */
// biome-ignore lint/suspicious/noExplicitAny: inputs and outputs are the operation's own business
export type AnyOperation = Operation<any, any, any, any>;

/** Inputs of an operation. */
export type InputsOf<O extends AnyOperation> = Parameters<O["describe"]>[0];
/** Problem of an operation. */
export type ProblemOf<O extends AnyOperation> = ReturnType<O["describe"]>;
/** Bound call of an operation. */
export type BoundOf<O extends AnyOperation> = ReturnType<O["bind"]>;
/** Outputs of an operation. */
export type OutputsOf<O extends AnyOperation> = ReturnType<O["reference"]>;

/**
 * The outputs among an operation's operands, newly made and updated ones: name, shape and dtype of each
 * tensor that a run returns.
 */
export function outputsOf(operands: readonly OperandSpec[]): readonly OperandSpec[] {
  return reading("operands", () =>
    operands.filter(({ access }) => access === "write" || access === "update"),
  );
}

/** Outputs of a call that are known to be in host memory. */
export type HostOutputs<Outputs> = {
  readonly [Name in keyof Outputs]: Extract<Outputs[Name], HostTensor | undefined>;
};
