import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type DeviceTensor,
  DisposedError,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";
import { bitsOf, differing, outputBits, sameBits, toHost } from "../calls/bits.js";

const names = ["query", "key", "value", "mask", "bias"] as const;

/**
 * Runs a call whose tensors were uploaded, and once more with the query left on the host. Outputs
 * must stay on the device, hold the same bits as those of the call on host tensors, and be the
 * caller's; inputs must stay as they were.
 *
 * @param expected the outputs of the call on host tensors
 * @returns the rules that were broken, each as a sentence; none for a backend without `upload`
 */
export async function residentViolations(
  backend: AttentionBackend,
  plan: AttentionPlan,
  inputs: AttentionInputs<HostTensor>,
  expected: AttentionOutputs<HostTensor>,
): Promise<string[]> {
  if (!backend.upload) return [];
  const held: DeviceTensor[] = [];
  try {
    const uploaded: Record<string, DeviceTensor> = {};
    for (const name of names) {
      const t = inputs[name];
      if (t === undefined) continue;
      const device = await backend.upload(t);
      uploaded[name] = device;
      held.push(device);
    }
    const mixed: Record<string, Tensor> = { ...uploaded, query: inputs.query };
    const bits = outputBits(expected);
    const violations: string[] = [];
    for (const [what, tensors] of [
      ["resident", uploaded],
      ["partly resident", mixed],
    ] as const) {
      const outputs = await plan.run({ ...inputs, ...tensors } as AttentionInputs);
      for (const [name, t] of Object.entries(outputs) as [string, Tensor | undefined][]) {
        if (t === undefined) continue;
        const wrong = formViolation(t, expected[name as keyof typeof expected], backend.name);
        if (wrong) violations.push(`${name} of ${what} inputs ${wrong}`);
        if (isDeviceTensor(t)) held.push(t);
      }
      for (const name of differing(bits, outputBits(await toHost(outputs)))) {
        violations.push(`${name} of ${what} inputs has other bits than that of host inputs`);
      }
    }
    for (const [name, device] of Object.entries(uploaded)) {
      const original = inputs[name as (typeof names)[number]] as HostTensor;
      if (!sameBits(bitsOf(await device.read()), bitsOf(original))) {
        violations.push(`${name} reads otherwise after the run than what was uploaded`);
      }
    }
    violations.push(...(await disposalViolations(held)));
    return violations;
  } finally {
    for (const t of held) t.dispose();
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
