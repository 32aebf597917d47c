import { BackendError, type HeedError, isHeedError, messageOf } from "./errors.js";

/** An error as it came if Heed made it; otherwise one that names the backend and keeps the cause. */
export function asBackendError(backend: string, doing: string, thrown: unknown): HeedError {
  if (isHeedError(thrown)) return thrown;
  return new BackendError(backend, `${doing} failed: ${messageOf(thrown)}`, { cause: thrown });
}
