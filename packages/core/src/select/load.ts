import { unavailableReason } from "../backend-error.js";
import { describeValue } from "../errors.js";
import type { AttentionBackend, AttentionProvider } from "../operation/backend.js";
import { SelfTest } from "./self-test.js";
import { readySlot, type Slot } from "./slot.js";

/**
 * Loads a backend and tests it. Whatever a provider does, the result is a slot: with the backend, or
 * with the reasons why there is none.
 *
 * @param test whether to compare it with results of the reference
 */
export async function loadBackend(provider: AttentionProvider, test: boolean): Promise<Slot> {
  const { name } = provider;
  let loaded: unknown = null;
  try {
    loaded = await provider.load();
    if (!isBackend(loaded)) {
      release(loaded);
      const message = `load() gave something that is no backend: ${describeValue(loaded)}`;
      return { name, backend: null, reasons: [{ code: "unavailable", message }] };
    }
    const selfTest = test ? new SelfTest(loaded) : null;
    await selfTest?.load();
    return readySlot(name, loaded, selfTest);
  } catch (thrown) {
    release(loaded);
    return { name, backend: null, reasons: [unavailableReason(thrown)], cause: thrown };
  }
}

/** Disposes something that `load` gave. Why it is of no use matters; a second failure adds nothing. */
export function release(loaded: unknown): void {
  try {
    (loaded as Partial<AttentionBackend> | null)?.dispose?.();
  } catch {
    // It had the chance to release what it holds.
  }
}

function isBackend(value: unknown): value is AttentionBackend {
  if (typeof value !== "object" || value === null) return false;
  const { info, supports, plan, dispose } = value as Partial<AttentionBackend>;
  return (
    typeof info === "object" &&
    info !== null &&
    typeof supports === "function" &&
    typeof plan === "function" &&
    typeof dispose === "function"
  );
}
