import type { AttentionBackend } from "../operation/backend.js";
import type { Attention, AttentionOptions } from "./attention.js";
import { openAttention } from "./open-attention.js";
import { checkOptions, readAttentionOptions } from "./options.js";
import { SelfTest } from "./self-test.js";
import { strategyOf } from "./strategies.js";

/**
 * Loads backends, in parallel, and tests each; with `load: "on-demand"`, one after the other until one
 * is ready.
 *
 * @throws InvalidInputError naming the option at fault
 * @throws BackendUnavailableError if no backend is ready, or with `fallback: "error"` any that was
 *   tried is not. Its `cause` is what loading them threw: an `AggregateError` if there is more than
 *   one such value.
 * @throws the signal's reason, or a `DOMException` named `"TimeoutError"`, when a limit is reached
 */
export async function createAttention(options: AttentionOptions): Promise<Attention> {
  const given = readAttentionOptions(options);
  const checked = checkOptions(given);
  const strategy = strategyOf(given.select === undefined ? "order" : given.select);
  const makeTest = checked.selfTest ? (backend: AttentionBackend) => new SelfTest(backend) : null;
  return openAttention({ ...checked, strategy, makeTest });
}
