import type { Attention } from "@heed/core";
import type { HeedOptions } from "./options.js";

/**
 * An attention on the backends of this package. They are imported when they are tried: one after the
 * other until one is ready, the next ones when a call comes that those refuse or fail.
 *
 * @throws InvalidInputError naming the option at fault
 * @throws BackendUnavailableError if no backend is ready, or with `fallback: "error"` the first is not
 * @throws the signal's reason, or a `DOMException` named `"TimeoutError"`, when a limit is reached
 */
export async function createAttention(options?: HeedOptions): Promise<Attention> {
  const { open } = await import("./open.js");
  return open(options);
}
