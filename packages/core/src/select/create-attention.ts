import { BackendUnavailableError, formatReasons } from "../errors.js";
import type { Attention, AttentionOptions } from "./attention.js";
import { loadBackend, release } from "./load.js";
import { checkOptions } from "./options.js";
import { BackendSelection } from "./selection.js";

/**
 * Loads backends, in parallel, and tests each.
 *
 * @throws InvalidInputError naming the option at fault
 * @throws BackendUnavailableError if no backend is ready, or with `fallback: "error"` any is not. Its
 *   `cause` is what loading them threw: an `AggregateError` if there is more than one such value.
 */
export async function createAttention(options: AttentionOptions): Promise<Attention> {
  const checked = checkOptions(options);
  const slots = await Promise.all(
    checked.providers.map((provider) => loadBackend(provider, checked.selfTest)),
  );
  const missing = slots.filter((slot) => slot.backend === null);
  if (missing.length < slots.length && (checked.fallback !== "error" || missing.length === 0)) {
    return new BackendSelection(slots, checked);
  }
  for (const slot of slots) release(slot.backend);
  const what =
    missing.length === slots.length
      ? "no backend is available"
      : 'a backend is unavailable, and fallback is "error"';
  const reasons = missing.map((slot) => ({ backend: slot.name, reasons: slot.reasons }));
  const causes = missing.flatMap((slot) => ("cause" in slot ? [slot.cause] : []));
  const cause = causes.length > 1 ? new AggregateError(causes) : causes[0];
  const message = `${what}\n${formatReasons(reasons)}`;
  throw new BackendUnavailableError(message, undefined, causes.length > 0 ? { cause } : undefined);
}
