import { messageOf } from "../backend-error.js";
import { BackendUnavailableError, describeValue, type SupportReason } from "../errors.js";
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
  let backend: AttentionBackend | null = null;
  try {
    const loaded: unknown = await provider.load();
    if (!isBackend(loaded)) {
      const message = `load() gave something that is no backend: ${describeValue(loaded)}`;
      return { name, backend: null, reasons: [{ code: "unavailable", message }] };
    }
    backend = loaded;
    if (test) await selfTest(backend);
    return readySlot(name, backend);
  } catch (thrown) {
    try {
      backend?.dispose();
    } catch {
      // Why it is unavailable matters; that it cannot be released either adds nothing to it.
    }
    return { name, backend: null, reasons: [reasonOf(thrown)] };
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

function reasonOf(thrown: unknown): SupportReason {
  if (!(thrown instanceof BackendUnavailableError)) {
    return { code: "unavailable", message: `failed to load: ${messageOf(thrown)}` };
  }
  const { reason, hint } = thrown;
  return { code: "unavailable", message: reason, ...(hint !== undefined && { hint }) };
}
