import {
  BackendError,
  type HeedError,
  isHeedError,
  messageOf,
  type SupportReason,
} from "./errors.js";

/** An error as it came if Heed made it; otherwise one that names the backend and keeps the cause. */
export function asBackendError(backend: string, doing: string, thrown: unknown): HeedError {
  if (isHeedError(thrown)) return thrown;
  return new BackendError(backend, `${doing} failed: ${messageOf(thrown)}`, { cause: thrown });
}

/**
 * The reason for not using a backend that threw when it was loaded or tested. The error is recognised by
 * its code: a backend may bring a copy of this package of its own.
 */
export function unavailableReason(thrown: unknown): SupportReason {
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
