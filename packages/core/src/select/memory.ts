import { describeValue, InvalidInputError, UnsupportedError } from "../errors.js";
import { readOptions } from "../options.js";
import type { DeviceMemory } from "../tensor/device.js";
import type { MemoryOptions } from "./attention.js";
import { isReady, type Slot } from "./slot.js";

const optionNames: ReadonlySet<keyof MemoryOptions> = new Set(["backend"]);

/**
 * The memory that `upload` and `allocate` of an attention use.
 *
 * @param slots every backend asked for, in order of preference
 * @throws InvalidInputError for a backend that was not asked for
 * @throws UnsupportedError if the backend, or every one, is unavailable or has no memory
 */
export function memoryOf(slots: readonly Slot[], options: MemoryOptions | undefined): DeviceMemory {
  return memoryAmong(slotsAsked(slots, options));
}

/** As {@link memoryOf}; loads backends that were not tried yet until one has memory. */
export async function loadMemory(
  slots: readonly Slot[],
  options: MemoryOptions | undefined,
  load: (slot: Slot) => Promise<void>,
): Promise<DeviceMemory> {
  const asked = slotsAsked(slots, options);
  for (const slot of asked) {
    if (slot.state === "waiting") await load(slot);
    if (slot.backend?.memory) return slot.backend.memory;
  }
  return memoryAmong(asked);
}

function slotsAsked(slots: readonly Slot[], options: MemoryOptions | undefined): readonly Slot[] {
  const { backend } = readOptions("options", options, optionNames);
  const asked = slots.filter(({ name }) => backend === undefined || name === backend);
  if (asked.length > 0) return asked;
  const names = slots.map(({ name }) => JSON.stringify(name));
  throw new InvalidInputError("backend", `one of ${names.join(", ")}`, describeValue(backend));
}

function memoryAmong(asked: readonly Slot[]): DeviceMemory {
  for (const slot of asked) if (slot.backend?.memory) return slot.backend.memory;
  const message = "has no memory of its own: it computes on host tensors";
  throw new UnsupportedError(
    asked.map((slot) => ({
      backend: slot.name,
      reasons: isReady(slot) ? [{ code: "memory", message }] : slot.reasons,
    })),
  );
}
