import type { AnyOperation, HostTensor, ProblemOf, Tensor } from "@heed/core";

/** A tensor of a call, and its name among the operation's operands, e.g. `"parts[0].output"`. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: HostTensor;
}

/** The members that lead to an operand of this name, from the call's inputs on. */
function pathOf(name: string): string[] {
  return name.match(/[^.[\]]+/g) ?? [];
}

function memberAt(inputs: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | undefined)?.[key],
    inputs,
  );
}

/** The tensors that a call gives, of those that its operation reads. */
export function tensorsOf<O extends AnyOperation>(
  operation: O,
  problem: ProblemOf<O>,
  inputs: object,
): NamedTensor[] {
  return operation
    .operands(problem)
    .filter(({ access }) => access === "read")
    .flatMap(({ name }) => {
      const tensor = memberAt(inputs, pathOf(name)) as HostTensor | undefined;
      return tensor === undefined ? [] : [{ name, tensor }];
    });
}

/** The call with other tensors, by their names; the rest stays. */
export function withTensors<Call extends object>(
  inputs: Call,
  tensors: Readonly<Record<string, Tensor>>,
): Call {
  return Object.entries(tensors).reduce<Call>(
    (call, [name, t]) => withMember(call, pathOf(name), t) as Call,
    inputs,
  );
}

function withMember(value: unknown, [key, ...rest]: readonly string[], member: Tensor): unknown {
  if (key === undefined) return member;
  const own = value as Record<string, unknown>;
  const changed = withMember(own[key], rest, member);
  if (!Array.isArray(value)) return { ...own, [key]: changed };
  return value.map((old, i) => (String(i) === key ? changed : old));
}
