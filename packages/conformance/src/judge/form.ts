import {
  type AnyOperation,
  type HostTensor,
  isContiguous,
  outputsOf,
  type ProblemOf,
} from "@heed/core";

/** A sentence on the error in an output's shape, dtype or layout; `null` if there is none. */
export function formViolation(
  name: string,
  got: HostTensor | undefined,
  shape: readonly number[],
  dtype: string,
): string | null {
  if (got === undefined) return `${name} is missing`;
  if (got.shape.length !== shape.length || got.shape.some((size, i) => size !== shape[i])) {
    return `${name} has shape [${got.shape.join(", ")}] instead of [${shape.join(", ")}]`;
  }
  if (got.dtype !== dtype) return `${name} is ${got.dtype} instead of ${dtype}`;
  return isContiguous(got) ? null : `${name} is not row-major`;
}

/** The errors in shape, dtype or layout of the outputs that an operation returns for a problem. */
export function formViolations<O extends AnyOperation>(
  operation: O,
  problem: ProblemOf<O>,
  outputs: object,
): string[] {
  const given = outputs as Readonly<Record<string, HostTensor | undefined>>;
  return outputsOf(operation.operands(problem)).flatMap(
    ({ name, shape, dtype }) => formViolation(name, given[name], shape, dtype) ?? [],
  );
}
