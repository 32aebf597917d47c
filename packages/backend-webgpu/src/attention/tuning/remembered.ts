import { DeviceTuning } from "./device-tuning.js";
import { builtIn } from "./generated/index.js";
import type { TunedDevice } from "./table.js";

/** Everything about tuning that outlives a backend: it belongs to the provider that loads backends. */
export interface Remembered {
  /** A table, or several, as the application gave them: not looked at before there is a device. */
  readonly given: unknown;
  /** Knowledge that backends of the provider share, by device. */
  readonly devices: Map<string, DeviceTuning>;
}

export function newRemembered(given: unknown): Remembered {
  return { given, devices: new Map() };
}

/** All that is known about a device: the package's own table, then the application's, then what was measured. */
export async function tuningOf(
  device: TunedDevice,
  { given, devices }: Remembered,
): Promise<DeviceTuning> {
  const key = JSON.stringify(device);
  const known = devices.get(key);
  if (known) return known;
  const tuning = new DeviceTuning(device);
  for (const { vendor, architecture, load } of builtIn) {
    if (vendor !== device.vendor || architecture !== device.architecture) continue;
    for (const table of (await load()).tables) tuning.addBuiltIn(table);
  }
  for (const table of tablesIn(given)) tuning.addGiven(table);
  // Another backend may have loaded meanwhile.
  const first = devices.get(key) ?? tuning;
  devices.set(key, first);
  return first;
}

/** A stored table that is not there is null, as `JSON.parse(localStorage.getItem(…))` gives it. */
function tablesIn(given: unknown): readonly unknown[] {
  if (given === undefined || given === null) return [];
  return Array.isArray(given) ? given : [given];
}
