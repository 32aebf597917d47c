import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type Backend,
  type DeviceTensor,
  isDeviceTensor,
  type Plan,
  type Problem,
  type Provider,
  type Tensor,
} from "@heed/core";

const stored = ["key", "value", "keyScales", "valueScales"] as const;

/**
 * The provider of a backend that attends to keys and values in its own memory alone, as one that takes them from host
 * memory too: they are uploaded for each call, and what comes out is read. For suites that begin with host tensors.
 */
export function withKeysFromHost(provider: Provider): Provider {
  return {
    name: provider.name,
    load: async () => wrapBackend(await provider.load()),
  };
}

function wrapBackend(backend: Backend): Backend {
  return {
    name: backend.name,
    get info() {
      return backend.info;
    },
    supports: (problem) => backend.supports(problem),
    plan: <Inputs, Outputs>(problem: Problem<Inputs, Outputs>) => {
      const made = backend.plan(problem);
      if (problem.operation !== "attention") return made;
      const wrap = (plan: Plan): Plan<Inputs, Outputs> =>
        wrapPlan(backend, plan as AttentionPlan) as unknown as Plan<Inputs, Outputs>;
      return made instanceof Promise ? made.then((plan) => wrap(plan as Plan)) : wrap(made as Plan);
    },
    memory: backend.memory,
    upload: (t) => (backend.memory as NonNullable<Backend["memory"]>).upload(t),
    dispose: () => backend.dispose(),
  };
}

function wrapPlan(backend: Backend, plan: AttentionPlan): AttentionPlan {
  return {
    description: plan.description,
    run: (inputs) => {
      // A plan of core reads lengths and offsets when the call is made; here, uploads come first.
      const copy = { ...inputs } as { -readonly [Name in keyof AttentionInputs]: unknown };
      for (const name of ["kvLengths", "queryOffset", "queryStarts", "keyStarts"] as const) {
        const given = copy[name];
        if (ArrayBuffer.isView(given)) copy[name] = (given as Int32Array).slice();
        else if (Array.isArray(given)) copy[name] = [...given];
      }
      for (const name of ["alibiSlopes", "sinks"] as const) {
        const given = copy[name];
        if (ArrayBuffer.isView(given)) copy[name] = (given as Float64Array).slice();
        else if (Array.isArray(given)) copy[name] = [...given];
      }
      return runResident(backend, plan, copy as AttentionInputs);
    },
    dispose: () => plan.dispose(),
  };
}

async function runResident(
  backend: Backend,
  plan: AttentionPlan,
  inputs: AttentionInputs,
): Promise<AttentionOutputs> {
  const { memory } = backend;
  if (memory === undefined) throw new Error("the backend has no memory");
  const given = Object.values(inputs).filter((t) => isDeviceTensor(t));
  const uploaded: DeviceTensor[] = [];
  try {
    const resident: Record<string, Tensor> = {};
    for (const name of stored) {
      const t = inputs[name];
      if (t === undefined || isDeviceTensor(t)) continue;
      const copy = await memory.upload(t as never);
      uploaded.push(copy);
      resident[name] = copy;
    }
    const outputs = await plan.run({ ...inputs, ...resident });
    return given.length > 0 ? outputs : await onHost(outputs);
  } finally {
    for (const t of uploaded) t.dispose();
  }
}

async function onHost(outputs: AttentionOutputs): Promise<AttentionOutputs> {
  const read: Record<string, Tensor> = {};
  for (const [name, t] of Object.entries(outputs) as [string, DeviceTensor | undefined][]) {
    if (t === undefined) continue;
    read[name] = await t.read();
    t.dispose();
  }
  return read as unknown as AttentionOutputs;
}
