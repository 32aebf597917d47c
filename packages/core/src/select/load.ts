import { describeValue, isHeedError, messageOf, type SupportReason } from "../errors.js";
import type { AttentionBackend, AttentionProvider } from "../operation/backend.js";
import { selfTest } from "./self-test.js";
import { readySlot, type Slot } from "./slot.js";

/**
 * Loads a backend and tests it. Whatever a provider does, the result is a slot: with the backend, or
 * with the reasons why there is none.
 *
 * @param test whether to compare it with the reference
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
    if (test) await selfTest(loaded);
    return readySlot(name, loaded);
  } catch (thrown) {
    release(loaded);
    return { name, backend: null, reasons: [reasonOf(thrown)] };
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

/** By its code: a backend may bring a copy of this package of its own. */
function reasonOf(thrown: unknown): SupportReason {
  if (!isHeedError(thrown, "backend-unavailable")) {
    return { code: "unavailable", message: `failed to load: ${messageOf(thrown)}` };
  }
  const { reason, hint } = thrown;
  return {
    code: "unavailable",
    message: typeof reason === "string" ? reason : messageOf(thrown),
    ...(typeof hint === "string" && { hint }),
  };
}
