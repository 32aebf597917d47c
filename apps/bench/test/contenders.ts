import {
  type AttentionProvider,
  BackendUnavailableError,
  type HostTensor,
  isDeviceTensor,
  reference,
  tensor,
} from "@heed/core";
import { backendContender } from "../src/contenders/backend-contender.js";
import type { Contender, PlacedCall } from "../src/contenders/contender.js";
import type { Environment } from "../src/report/report.js";

/** A fixed place, so that what is rendered can be compared. */
export const environment: Environment = {
  name: "node",
  date: "2026-01-02T03:04:05.678Z",
  versions: { node: "20.19.0" },
  cpu: "Abacus 9000",
  cores: 2,
  platform: "linux x64",
  memory: 2 ** 33,
};

export const right: Contender = backendContender("right", async () => reference());

export const unavailable: Contender = {
  name: "absent",
  kind: "backend",
  load: async () => {
    throw new BackendUnavailableError("there is no such device", "buy one");
  },
};

export const refusing: Contender = altered("choosy", {
  supports: () => ({
    ok: false,
    reasons: [
      { code: "dtype", message: "only bfloat16 is good enough" },
      { code: "moon", message: "the moon is waning" },
    ],
  }),
});

/** One key's worth off. */
export const wrong: Contender = altered("sloppy", {
  run: (output) => {
    const data = Float32Array.from(output.data as Float32Array, (x) => x * 1.01 + 0.01);
    return tensor(data, output.shape);
  },
});

export const nonsense: Contender = altered("dazed", {
  run: (output) => tensor(new Float32Array(output.data.length).fill(Number.NaN), output.shape),
});

export const misshapen: Contender = altered("flat", {
  run: (output) => tensor(output.data, [output.data.length]),
});

export const throwing: Contender = altered("fragile", {
  run: () => {
    throw new Error("the device went away");
  },
});

/** Counts what is made and what is disposed of. */
export function counting(): { contender: Contender; open: () => number } {
  let open = 0;
  const contender: Contender = {
    name: "counted",
    kind: "backend",
    load: async () => {
      const inner = await right.load();
      open++;
      return {
        ...inner,
        supports: (problem) => inner.supports(problem),
        plan: async (problem, inputs) => {
          const plan = await inner.plan(problem, inputs);
          open++;
          return {
            ...plan,
            place: async (call) => {
              open++;
              const placed = await plan.place(call);
              return { ...placed, dispose: () => void open-- };
            },
            dispose: () => void open--,
          };
        },
        dispose: () => void open--,
      };
    },
  };
  return { contender, open: () => open };
}

/**
 * A provider whose tensors live on a pretended device, counting those not disposed of.
 *
 * @param options what the device is called, and how many ms it takes to read from it
 */
export function deviceProvider(options: { device?: string; readTakes?: number } = {}): {
  provider: AttentionProvider;
  live: () => number;
} {
  const { device, readTakes = 0 } = options;
  let live = 0;
  const onDevice = (held: HostTensor) => {
    live++;
    return {
      backend: "device",
      dtype: held.dtype,
      shape: held.shape,
      read: async () => {
        if (readTakes > 0) await new Promise((resolve) => setTimeout(resolve, readTakes));
        return held;
      },
      dispose: () => void live--,
      held,
    };
  };
  const provider: AttentionProvider = {
    name: "device",
    load: async () => {
      const inner = await reference().load();
      return {
        name: "device",
        info: { ...inner.info, ...(device !== undefined && { device }) },
        supports: (problem) => inner.supports(problem),
        plan: async (problem) => {
          const plan = await inner.plan(problem);
          return {
            description: plan.description,
            run: async (inputs) => {
              if (!isDeviceTensor(inputs.query)) return plan.run(inputs);
              const host = (name: "query" | "key" | "value") =>
                (inputs[name] as ReturnType<typeof onDevice>).held;
              const call = { query: host("query"), key: host("key"), value: host("value") };
              const { output } = await plan.run({ ...inputs, ...call });
              return { output: onDevice(output as HostTensor) };
            },
            dispose: () => plan.dispose(),
          };
        },
        upload: async (t) => onDevice(t),
        dispose: () => inner.dispose(),
      };
    },
  };
  return { provider, live: () => live };
}

interface Alterations {
  readonly supports?: Awaited<ReturnType<Contender["load"]>>["supports"];
  readonly run?: (output: HostTensor) => HostTensor;
}

function altered(name: string, { supports, run }: Alterations): Contender {
  return {
    name,
    kind: "backend",
    load: async () => {
      const inner = await right.load();
      return {
        ...inner,
        supports: supports ?? ((problem) => inner.supports(problem)),
        plan: async (problem, inputs) => {
          const plan = await inner.plan(problem, inputs);
          return {
            ...plan,
            place: async (call): Promise<PlacedCall> => {
              const placed = await plan.place(call);
              return {
                ...placed,
                run: async () => {
                  const outputs = await placed.run();
                  return run ? { ...outputs, output: run(outputs.output as HostTensor) } : outputs;
                },
              };
            },
          };
        },
      };
    },
  };
}
