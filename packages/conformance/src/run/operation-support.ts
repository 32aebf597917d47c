import {
  type AttentionBackend,
  type Backend,
  type Plan,
  type Problem,
  type SupportReason,
  UnsupportedError,
} from "@heed/core";

/** Whether a backend computes a problem of any operation. */
export type OperationSupport<Inputs, Outputs> =
  | { readonly ok: true; readonly plan: () => Promise<Plan<Inputs, Outputs>> }
  | {
      readonly ok: false;
      readonly reasons: readonly SupportReason[];
      /** How the refusal is dishonest, a sentence each. */
      readonly failures: readonly string[];
    };

/** A problem of an operation that nobody computes. */
const unheardOf = { operation: "an operation that does not exist", key: "nothing" } as Problem;

/**
 * Asks a backend about a problem, and where it refuses, whether it really does. A backend of attention
 * alone, as the type `AttentionBackend` allows, need not know of other operations: it counts as lacking
 * them.
 */
export async function operationSupport<Inputs, Outputs>(
  backend: AttentionBackend,
  problem: Problem<Inputs, Outputs>,
): Promise<OperationSupport<Inputs, Outputs>> {
  const any = backend as unknown as Backend;
  if (!knowsOperations(any)) {
    const message = `does not compute the operation ${problem.operation}`;
    return { ok: false, reasons: [{ code: "operation", message }], failures: [] };
  }
  const support = any.supports(problem);
  if (support.ok) return { ok: true, plan: async () => any.plan(problem) };
  const { reasons } = support;
  const failures: string[] = [];
  if (reasons.length === 0) failures.push("supports() refuses without a reason");
  try {
    (await any.plan(problem)).dispose();
    failures.push("supports() refuses the problem, but plan() accepts it");
  } catch (error) {
    if (!(error instanceof UnsupportedError)) {
      failures.push(`plan() of a refused problem throws ${String(error)}, not UnsupportedError`);
    }
  }
  return { ok: false, reasons, failures };
}

function knowsOperations(backend: Backend): boolean {
  try {
    const support = backend.supports(unheardOf);
    return !support.ok && support.reasons.some(({ code }) => code === "operation");
  } catch {
    return false;
  }
}
