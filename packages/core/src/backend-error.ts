import { describeValue, HeedError } from "./errors.js";

/**
 * A backend broke a promise of its interface: it threw something that is no {@link HeedError}, or
 * resolved with something that is no result. `cause` is what it threw.
 */
export class BackendError extends HeedError {
  readonly code = "backend-error";
  /** The backend's name. */
  readonly backend: string;

  constructor(backend: string, message: string, options?: ErrorOptions) {
    super(`backend ${backend}: ${message}`, options);
    this.name = "BackendError";
    this.backend = backend;
  }
}

/** An error as it came if Heed made it; otherwise one that names the backend and keeps the cause. */
export function asBackendError(backend: string, doing: string, thrown: unknown): HeedError {
  if (thrown instanceof HeedError) return thrown;
  return new BackendError(backend, `${doing} failed: ${messageOf(thrown)}`, { cause: thrown });
}

/** A readable message of anything that was thrown, also of what throws when it is read. */
export function messageOf(thrown: unknown): string {
  try {
    const { message } = thrown as { message?: unknown };
    if (typeof message === "string" && message !== "") return message;
  } catch {
    // Values without members, and members that throw, are described instead.
  }
  try {
    return describeValue(thrown);
  } catch {
    return "a value that cannot be read";
  }
}
