import { describeValue } from "@heed/core";
import type { Settings } from "../choice/settings.js";
import { Damage } from "./damage.js";

/** Values that each size of a kernel may have, beside `splits`. */
const sizes = {
  tile: { lanes: [8, 16], columns: [32, 64, 128], subgroups: [false, true] },
  row: {},
  decode: { columns: [64, 128, 256] },
  "subgroup-matrix": { rows: [32, 64], columns: [32, 64, 128] },
  quad: { rows: [4, 8, 16], keys: [1, 2], subgroups: [false, true] },
  stream: { rows: [4, 8] },
} as const satisfies { readonly [K in Settings["kernel"]]: AllowedSizes<K> };

type SettingsOf<K extends Settings["kernel"]> = Extract<Settings, { readonly kernel: K }>;
type AllowedSizes<K extends Settings["kernel"]> = {
  readonly [S in Exclude<keyof SettingsOf<K>, "kernel" | "splits">]: readonly SettingsOf<K>[S][];
};

/** More parts of the keys than any device wants. */
const mostSplits = 2 ** 16;

/** Settings of a table. @throws Damage unless they are those of a kernel, and nothing else */
export function readSettings(given: Readonly<Record<string, unknown>>): Settings {
  const { kernel, splits } = given;
  if (typeof kernel !== "string" || !Object.hasOwn(sizes, kernel)) {
    throw new Damage(`a kernel is ${describeValue(kernel)}, and not one of this backend's`);
  }
  if (!(Number.isInteger(splits) && (splits as number) >= 1 && (splits as number) <= mostSplits)) {
    throw new Damage(`splits are ${describeValue(splits)}, and not an integer ≥ 1`);
  }
  const read: Record<string, unknown> = { kernel };
  const allowed: Readonly<Record<string, readonly unknown[]>> = sizes[kernel as Settings["kernel"]];
  for (const [name, values] of Object.entries(allowed)) {
    const value = given[name];
    if (!values.includes(value)) {
      const expected = `one of ${values.join(", ")}`;
      throw new Damage(`${name} of ${kernel} is ${describeValue(value)}, and not ${expected}`);
    }
    read[name] = value;
  }
  return { ...read, splits } as Settings;
}
