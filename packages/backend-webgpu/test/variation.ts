import { testBackend } from "@heed/conformance/vitest";
import type { AttentionProvider } from "@heed/core";

/** Every rule at once; without matrices, which have kernels of their own. */
export const everyRule = "masks/everything-but-returns";

/** Whether variations are run in full: compiling a kernel takes a second or more on a software adapter. */
export const allVariations: boolean = import.meta.env.HEED_ALL_VARIATIONS === "1";

/**
 * The suite on a provider that decides differently from what is there, by the cases at which its kernels
 * differ.
 *
 * @param whole filter of the cases that are run where {@link allVariations}
 */
export function variation(
  title: string,
  provider: AttentionProvider,
  filters: readonly string[],
  whole = "",
): void {
  for (const filter of allVariations ? [whole] : filters) {
    testBackend(provider, { title: `${title}, ${filter || "all"}`, filter });
  }
}
