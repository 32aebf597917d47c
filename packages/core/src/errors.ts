/**
 * Every error that Heed throws on purpose derives from {@link HeedError}, so that one `instanceof`
 * separates "Heed says no" from a bug.
 */
export abstract class HeedError extends Error {
  /** Stable, machine-readable name of the kind of error. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An argument is wrong. Thrown before any backend sees the call; nothing has been computed. */
export class InvalidInputError extends HeedError {
  readonly code = "invalid-input";
  /** The argument at fault, as the caller wrote it, e.g. `"mask"` or `"window.left"`. */
  readonly argument: string;
  /** What would have been accepted. */
  readonly expected: string;
  /** What came instead. */
  readonly actual: string;

  constructor(argument: string, expected: string, actual: string, options?: ErrorOptions) {
    super(`${argument}: expected ${expected}, got ${actual}`, options);
    this.argument = argument;
    this.expected = expected;
    this.actual = actual;
  }
}

/** Why a backend does not run a problem. */
export interface SupportReason {
  /** Stable, machine-readable name of the reason, e.g. `"dtype"` or `"lower-priority"`. */
  readonly code: string;
  /** The reason in a sentence. */
  readonly message: string;
  /** What the caller can do about it. */
  readonly hint?: string;
}

/** A backend's name with its reasons for not running a problem. */
export interface BackendReasons {
  readonly backend: string;
  readonly reasons: readonly SupportReason[];
}

/** No backend that may run the problem supports it. The message carries every backend's reasons. */
export class UnsupportedError extends HeedError {
  readonly code = "unsupported";
  readonly backends: readonly BackendReasons[];

  constructor(backends: readonly BackendReasons[]) {
    super(
      backends.length === 0
        ? "no backend supports this problem: none was asked for"
        : `no backend supports this problem\n${formatReasons(backends)}`,
    );
    this.backends = backends;
  }
}

/** A backend cannot work in this environment, or computes wrong numbers in it. */
export class BackendUnavailableError extends HeedError {
  readonly code = "backend-unavailable";
  /** Why, in a sentence. */
  readonly reason: string;
  /** What would make it available. */
  readonly hint: string | undefined;

  constructor(reason: string, hint?: string, options?: ErrorOptions) {
    super(hint === undefined ? reason : `${reason} (${hint})`, options);
    this.reason = reason;
    this.hint = hint;
  }
}

/** Something was used after its `dispose()`. */
export class DisposedError extends HeedError {
  readonly code = "disposed";
  /** What was disposed, as the caller knows it, e.g. `"query"` or `"attention"`. */
  readonly argument: string;

  constructor(argument: string) {
    super(`${argument} has been disposed`);
    this.argument = argument;
  }
}

/**
 * A backend's device failed: it refused work that the backend gave it (`cause` has its own error), or
 * has no memory left.
 */
export class DeviceError extends HeedError {
  readonly code: string = "device-error";
  /** The backend's name. */
  readonly backend: string;

  constructor(backend: string, message: string, options?: ErrorOptions) {
    super(`${backend}: ${message}`, options);
    this.backend = backend;
  }
}

/** A device has too little memory left for what was asked. Disposing tensors may help. */
export class OutOfMemoryError extends DeviceError {
  override readonly code = "out-of-memory";
}

/**
 * A device is gone: it was destroyed, unplugged, or reset by its driver. Everything in its memory is
 * lost; the provider can load again.
 */
export class DeviceLostError extends DeviceError {
  override readonly code = "device-lost";
}

/** One line a reason, indented, for messages and reports. */
export function formatReasons(backends: readonly BackendReasons[]): string {
  return backends
    .flatMap(({ backend, reasons }) =>
      reasons.map(({ message, hint }) => `  ${backend}: ${message}${hint ? ` (${hint})` : ""}`),
    )
    .join("\n");
}

/** How a value reads in an error message: short, unambiguous, never throwing. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) {
    const shown = value.slice(0, 8).map(describeValue).join(", ");
    return value.length > 8 ? `[${shown}, … ${value.length} in all]` : `[${shown}]`;
  }
  if (ArrayBuffer.isView(value)) {
    const length = "length" in value ? value.length : value.byteLength;
    return `${Object.prototype.toString.call(value).slice(8, -1)} of ${String(length)}`;
  }
  if (typeof value === "object" && value !== null) {
    return `an object with ${Object.keys(value).slice(0, 8).join(", ") || "no members"}`;
  }
  if (typeof value === "function") return "a function";
  return String(value);
}
