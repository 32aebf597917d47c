import { asBackendError } from "../backend-error.js";
import { BackendError, describeValue, InvalidInputError } from "../errors.js";
import type { AbortSignalLike } from "../operation/abort.js";
import type { Plan } from "../operation/backend.js";
import {
  type AnyOperation,
  type Bound,
  type OperandSpec,
  outputsOf,
} from "../operation/operation.js";
import { StartablePlan } from "../operation/startable-plan.js";
import { isList, reading } from "../options.js";
import { checkTensor, isDeviceTensor, isIntact } from "../tensor/host-tensor.js";
import { sameShape } from "../tensor/layout.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Starts a plan on a bound call, also one that was written without `defineBackend`. May throw.
 *
 * @returns the outputs, or a promise of them
 */
export function startPlan(plan: Plan, bound: Bound, signal?: AbortSignalLike): unknown {
  if (plan instanceof StartablePlan) return plan.start(bound);
  return plan.runBound ? plan.runBound(bound, signal) : plan.run(bound.inputs);
}

/**
 * The outputs of a run, if they are what the problem says.
 *
 * @param backend the backend's name, for errors
 * @param outputs whatever the plan resolved with
 * @throws BackendError for anything else
 * @throws InvalidInputError if an input lost its data while the call was pending
 */
export function checkOutputs(
  backend: string,
  operation: AnyOperation,
  bound: Bound,
  outputs: unknown,
): object {
  checkStillThere(operation, bound);
  if (typeof outputs !== "object" || outputs === null) {
    throw new BackendError(backend, `a plan's run gave no outputs but ${describeValue(outputs)}`);
  }
  const all = expectedOutputs(operation, bound);
  for (let i = 0; i < all.length; i++) {
    const expected = all[i] as OperandSpec;
    const t = (outputs as Readonly<Record<string, Partial<Tensor> | undefined>>)[expected.name];
    const fits =
      t?.dtype === expected.dtype && isList(t.shape) && sameShape(t.shape, expected.shape);
    if (fits && (expected.access === "write" || isGiven(operation, bound, expected, t))) continue;
    throw new BackendError(
      backend,
      `a plan's run gave ${describeValue(t)} for ${expected.name} instead of ${expected.dtype} of shape [${expected.shape.join(", ")}]`,
    );
  }
  return outputs;
}

/** Whether an output is the tensor of the call that it updates, in the caller's or in core's words. */
function isGiven(
  operation: AnyOperation,
  { problem, reads }: Bound,
  { name }: OperandSpec,
  output: Partial<Tensor>,
): boolean {
  // A loop: a closure for each row that is written would be waste.
  const operands = operation.operands(problem);
  let index = 0;
  while (index < operands.length && operands[index]?.name !== name) index++;
  const given = reads[index];
  if (given === output || given === undefined || isDeviceTensor(given)) return given === output;
  return hasBuffer(name, output, given.data.buffer);
}

/** An array of another realm or of a polyfill is another object over the same buffer. */
function hasBuffer(name: string, output: Partial<Tensor>, buffer: ArrayBufferLike): boolean {
  return reading(name, () => "data" in output && output.data?.buffer === buffer);
}

/** The outputs of a run that are none of the call's own tensors: whoever drops the result disposes them. */
export function newOutputs({ reads }: Bound, outputs: object): object {
  return Object.fromEntries(
    Object.entries(outputs).filter(([, output]) => !reads.includes(output as Tensor)),
  );
}

/** The error of a run that failed, whatever the plan threw. */
export function runFailure(
  backend: string,
  operation: AnyOperation,
  bound: Bound,
  thrown: unknown,
): unknown {
  try {
    // A buffer that went away explains the error better than what the backend says of it.
    checkStillThere(operation, bound, thrown);
  } catch (error) {
    return error;
  }
  return asBackendError(backend, "running a plan", thrown);
}

/**
 * Runs a plan on a bound call.
 *
 * @throws as {@link checkOutputs} and {@link runFailure} say (rejects)
 */
export async function runPlan(
  backend: string,
  plan: Plan,
  operation: AnyOperation,
  bound: Bound,
): Promise<object> {
  let outputs: unknown;
  try {
    outputs = await startPlan(plan, bound);
  } catch (thrown) {
    throw runFailure(backend, operation, bound, thrown);
  }
  return checkOutputs(backend, operation, bound, outputs);
}

/** The outputs of problems that ran lately: a steady call does not work them out again. */
const outputsOfProblem = new WeakMap<object, readonly OperandSpec[]>();

function expectedOutputs(operation: AnyOperation, { problem }: Bound): readonly OperandSpec[] {
  let outputs = outputsOfProblem.get(problem);
  if (outputs === undefined) {
    outputs = outputsOf(operation.operands(problem));
    outputsOfProblem.set(problem, outputs);
  }
  return outputs;
}

/** Tensors must stay as they are until a call settles: one whose buffer went away spoilt the result. */
function checkStillThere(operation: AnyOperation, bound: Bound, cause?: unknown): void {
  const { reads } = bound;
  for (let i = 0; i < reads.length; i++) {
    const t = reads[i] as Tensor;
    if (isIntact(t) || isDeviceTensor(t)) continue;
    try {
      checkTensor("input", t);
    } catch (thrown) {
      const actual = thrown instanceof InvalidInputError ? thrown.actual : "something else";
      throw new InvalidInputError(
        operandName(operation, bound, i),
        "a tensor whose buffer stays as it is until the call settles",
        actual,
        { cause: cause ?? thrown },
      );
    }
  }
}

/**
 * The backend whose memory a call's tensors are in; `null` if all are host tensors.
 *
 * @throws InvalidInputError naming the first tensor that is in another backend's memory
 */
export function ownerOf(operation: AnyOperation, bound: Bound): string | null {
  const { reads } = bound;
  let backend: string | null = null;
  for (let i = 0; i < reads.length; i++) {
    const t = reads[i];
    if (!isDeviceTensor(t)) continue;
    backend ??= t.backend;
    if (t.backend !== backend) {
      throw new InvalidInputError(
        operandName(operation, bound, i),
        `a host tensor or one of backend ${backend}, as the other inputs`,
        `a tensor of backend ${t.backend}`,
      );
    }
  }
  return backend;
}

function operandName(operation: AnyOperation, bound: Bound, index: number): string {
  return operation.operands(bound.problem)[index]?.name ?? `input ${index}`;
}
