import { type DeviceTensor, type HostTensor, isDeviceTensor, type Tensor } from "@heed/core";
import type { Outputs } from "../measure/judge.js";

/** The outputs in JavaScript's memory; those of a device are read and disposed. */
export function toHost(outputs: unknown, names: readonly string[]): Outputs | Promise<Outputs> {
  const all = outputs as Readonly<Record<string, Tensor>>;
  return names.some((name) => isDeviceTensor(all[name])) ? readAll(all, names) : (all as Outputs);
}

async function readAll(
  all: Readonly<Record<string, Tensor>>,
  names: readonly string[],
): Promise<Outputs> {
  const host: Record<string, HostTensor> = {};
  // All reads start at once: a device may answer them by one wait.
  await Promise.all(
    names.map(async (name) => {
      const t = all[name] as DeviceTensor;
      try {
        host[name] = await t.read();
      } finally {
        t.dispose();
      }
    }),
  );
  return host;
}
