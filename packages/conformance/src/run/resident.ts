import {
  type AnyOperation,
  type AttentionBackend,
  type DeviceTensor,
  DisposedError,
  type HostTensor,
  isDeviceTensor,
  type Plan,
  type Tensor,
} from "@heed/core";
import {
  bitsOf,
  differing,
  type HostOutputs,
  outputBits,
  sameBits,
  toHost,
} from "../calls/bits.js";
import { tensorsOf, withTensors } from "../calls/operands.js";

/**
 * Runs a call whose tensors were uploaded, and once more with the first of them left on the host. Outputs
 * must stay on the device, hold the same bits as those of the call on host tensors, and be the
 * caller's; inputs must stay as they were.
 *
 * @param expected the outputs of the call on host tensors
 * @returns the rules that were broken, each as a sentence; none for a backend without `upload`
 */
export async function residentViolations<Call extends object>(
  backend: AttentionBackend,
  plan: Plan<Call, object>,
  operation: AnyOperation,
  call: Call,
  expected: object,
): Promise<string[]> {
  if (!backend.upload) return [];
  const given = tensorsOf(operation, operation.describe(call), call);
  const wanted = expected as HostOutputs;
  const uploaded: Record<string, DeviceTensor> = {};
  const made: DeviceTensor[] = [];
  try {
    for (const { name, tensor } of given) uploaded[name] = await backend.upload(tensor);
    const { [given[0]?.name ?? ""]: _, ...partly } = uploaded;
    const bits = outputBits(wanted);
    const violations: string[] = [];
    for (const [what, tensors] of [
      ["resident", uploaded],
      ["partly resident", partly],
    ] as const) {
      // With one tensor alone, nothing is left to be resident.
      if (Object.keys(tensors).length === 0) continue;
      const outputs = await plan.run(withTensors(call, tensors));
      for (const [name, t] of Object.entries(outputs) as [string, Tensor | undefined][]) {
        if (t === undefined) continue;
        const wrong = formViolation(t, wanted[name], backend.name);
        if (wrong) violations.push(`${name} of ${what} inputs ${wrong}`);
        if (isDeviceTensor(t)) made.push(t);
      }
      for (const name of differing(bits, outputBits(await toHost(outputs)))) {
        violations.push(`${name} of ${what} inputs has other bits than that of host inputs`);
      }
    }
    for (const { name, tensor } of given) {
      if (!sameBits(bitsOf(await (uploaded[name] as DeviceTensor).read()), bitsOf(tensor))) {
        violations.push(`${name} reads otherwise after the run than what was uploaded`);
      }
    }
    violations.push(...(await disposalViolations([...Object.values(uploaded), ...made])));
    return violations;
  } finally {
    for (const t of [...Object.values(uploaded), ...made]) t.dispose();
  }
}

function formViolation(t: Tensor, like: HostTensor | undefined, backend: string): string | null {
  if (!isDeviceTensor(t)) return "is a host tensor";
  if (t.backend !== backend) return `says it is of backend ${t.backend}`;
  if (t.dtype !== like?.dtype || t.shape.join() !== like.shape.join()) {
    return `is ${t.dtype} [${t.shape}] instead of ${like?.dtype} [${like?.shape}]`;
  }
  return null;
}

/** Disposing twice is harmless; reading afterwards is a typed error. */
async function disposalViolations(held: readonly DeviceTensor[]): Promise<string[]> {
  const violations: string[] = [];
  for (const t of held) {
    t.dispose();
    t.dispose();
    if (t.disposed === false) violations.push("a device tensor says it is not disposed when it is");
    const error = await t.read().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof DisposedError)) {
      violations.push(`read() of a disposed device tensor gives ${error ?? "data"}`);
    }
  }
  return [...new Set(violations)];
}
