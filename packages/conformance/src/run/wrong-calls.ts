import {
  type AnyOperation,
  type AttentionBackend,
  createAttention,
  HeedError,
  type InputsOf,
  isDeviceTensor,
  type Plan,
} from "@heed/core";
import { differing, outputBits } from "../calls/bits.js";
import { Random } from "../calls/random.js";
import type { Arithmetic } from "../judge/arithmetic.js";
import type { OperationName } from "../operations/names.js";
import { borrow } from "./borrow.js";
import type { OperationCase } from "./case.js";
import { type JudgedOperation, runCall } from "./check-call.js";
import { operationSupport } from "./operation-support.js";

/** A call that must be refused before any backend sees it. */
export interface WrongCall {
  /** The defect that makes the call invalid. */
  readonly name: string;
  readonly inputs: unknown;
}

/** A kind of wrong call: a name, and how a valid call becomes one. */
export type Spoiling<Call> = readonly [
  name: string,
  change: (call: Call, random: Random) => unknown,
];

/**
 * Makes wrong calls through `createAttention` and looks whether each is refused with a typed error
 * before the backend is asked anything.
 *
 * @returns what went wrong, a sentence each
 */
export async function checkWrongCalls<O extends AnyOperation>(
  backend: AttentionBackend,
  operation: O,
  calls: Iterable<WrongCall>,
): Promise<string[]> {
  let seen = "";
  const watched: AttentionBackend = {
    ...borrow(backend),
    supports: (problem) => {
      seen = "supports()";
      return backend.supports(problem);
    },
    plan: (problem) => {
      seen = "plan()";
      return backend.plan(problem);
    },
  };
  const attention = await createAttention({
    backends: [{ name: backend.name, load: async () => watched }],
    selfTest: false,
    fallback: "silent",
  });
  const failures = new Set<string>();
  try {
    for (const { name, inputs } of calls) {
      seen = "";
      const error: unknown = await attention.apply(operation, inputs as InputsOf<O>).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) failures.add(`${name}: accepted`);
      else if (!(error instanceof HeedError)) {
        failures.add(`${name}: throws ${error instanceof Error ? error.stack : String(error)}`);
      }
      if (seen !== "") failures.add(`${name}: the backend's ${seen} was called`);
    }
  } finally {
    await attention.dispose();
  }
  return [...failures];
}

/**
 * Gives wrong calls to a plan of a right one. A plan that is run by itself need not notice every defect, but
 * what it throws is typed.
 *
 * @returns the errors that are not, a sentence each
 */
export async function untypedErrors(plan: Plan, calls: Iterable<WrongCall>): Promise<string[]> {
  const failures: string[] = [];
  for (const { name, inputs } of calls) {
    const error: unknown = await Promise.resolve()
      .then(() => plan.run(inputs))
      .then(
        (outputs) => {
          for (const t of Object.values(outputs as object)) if (isDeviceTensor(t)) t.dispose();
          return null;
        },
        (thrown: unknown) => thrown,
      );
    if (error === null || error instanceof HeedError) continue;
    failures.push(`run() of a plan, ${name}: throws ${String(error)}`);
  }
  return failures;
}

/** Wrong calls of an operation beside attention. */
export interface WrongCallsCase<Call extends object, Outputs extends object> {
  readonly of: JudgedOperation<Call, Outputs>;
  /** A valid call, for every kind of wrong call to be made of. */
  readonly build: (seed: string, arithmetic: Arithmetic) => Call;
  readonly kinds: readonly Spoiling<Call>[];
  /** How often each kind is tried: with other tensors and other junk. */
  readonly times: number;
}

/** A case of wrong calls, after which a right one must give the bits that it gave before. */
export function wrongCallsCase<Call extends object, Outputs extends object>({
  of,
  build,
  kinds,
  times,
}: WrongCallsCase<Call, Outputs>): OperationCase {
  const operation = of.operation.name as OperationName;
  return {
    id: `${operation}/wrong-calls`,
    profile: operation,
    operation,
    check: async (context) => {
      const { backend, seed, arithmetic } = context;
      const right = build("right", arithmetic);
      const support = await operationSupport(backend, of.operation.describe(right));
      if (!support.ok) return { failures: support.failures, reasons: support.reasons };
      const bits = async () => outputBits((await runCall(of, right, context)) as never);
      const before = await bits();
      const random = new Random(seed);
      const calls = Array.from({ length: times * kinds.length }, (_, i) => {
        const [name, change] = kinds[i % kinds.length] as Spoiling<Call>;
        return { name, inputs: change(build(`hostile-${i % 8}`, arithmetic), random) };
      });
      const failures = await checkWrongCalls(backend, of.operation, calls);
      const plan = await support.plan();
      try {
        failures.push(...(await untypedErrors(plan as Plan, calls.slice(0, kinds.length))));
      } finally {
        plan.dispose();
      }
      if (differing(before, await bits()).length > 0) {
        failures.push("after the wrong calls, a right one gives other bits");
      }
      return { failures };
    },
  };
}
