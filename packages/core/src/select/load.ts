import { unavailableReason } from "../backend-error.js";
import { describeValue } from "../errors.js";
import type { AttentionBackend, AttentionProvider, Backend } from "../operation/backend.js";
import { DividingBackend } from "./dividing-backend.js";
import { type BackendTest, type Loaded, release } from "./slot.js";

/** Makes the test of a loaded backend, which may have to be downloaded first. */
export type MakeTest = (backend: AttentionBackend) => BackendTest | Promise<BackendTest>;

/**
 * Loads a backend and tests it. Whatever a provider does, the result is the backend, or the reasons
 * why there is none.
 *
 * @param makeTest the test that the backend has to pass; null: it is not tested
 * @param maxWorkspaceBytes see `AttentionOptions.maxWorkspaceBytes`
 */
export async function loadBackend(
  provider: AttentionProvider,
  makeTest: MakeTest | null,
  maxWorkspaceBytes: number = Number.POSITIVE_INFINITY,
): Promise<Loaded> {
  let loaded: unknown = null;
  try {
    loaded = await provider.load();
    if (!isBackend(loaded)) {
      release(loaded);
      const message = `load() gave something that is no backend: ${describeValue(loaded)}`;
      return { backend: null, reasons: [{ code: "unavailable", message }], test: null };
    }
    const test = makeTest === null ? null : await makeTest(loaded);
    await test?.load();
    // A backend that was written for attention alone is asked about nothing else by its author.
    const backend = new DividingBackend(loaded as Backend, maxWorkspaceBytes);
    return { backend, reasons: [], test };
  } catch (thrown) {
    release(loaded);
    return { backend: null, reasons: [unavailableReason(thrown)], test: null, cause: thrown };
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
