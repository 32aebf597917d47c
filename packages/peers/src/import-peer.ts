import { BackendUnavailableError } from "@heed/core";

/**
 * Imports a library that is compared with.
 *
 * @throws BackendUnavailableError where it is not there or does not load
 */
export async function importPeer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    throw new BackendUnavailableError(
      missing ? `${name} is not installed` : `${name} does not load: ${messageOf(cause)}`,
      missing ? `pnpm --filter @heed/peers add ${name}` : undefined,
      { cause },
    );
  }
}

/** Message of a thrown value, which need not be an Error. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
