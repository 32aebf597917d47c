import { BackendUnavailableError } from "@heed/core";
import { messageOf } from "../message.js";

/**
 * Imports an optional dependency of the app.
 *
 * @throws BackendUnavailableError saying how to get it
 */
export async function importPeer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    const message = messageOf(cause);
    throw new BackendUnavailableError(
      missing ? `${name} is not installed` : `${name} does not load: ${message}`,
      missing ? `pnpm --filter @heed/bench add -O ${name}` : undefined,
      { cause },
    );
  }
}
