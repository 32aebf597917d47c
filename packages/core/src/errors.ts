import { shorten } from "./describe-value.js";

/**
 * Every error that Heed throws on purpose derives from {@link HeedError}, so that one `instanceof`
 * separates "Heed says no" from a bug. Where two copies of this package may be loaded, as with a
 * backend that brings its own, {@link isHeedError} recognises the errors of both.
 */
export abstract class HeedError extends Error {
  /** Stable, machine-readable name of the kind of error. */
  abstract readonly code: string;
}

/** An argument is wrong. Thrown before any backend sees the call; nothing has been computed. */
export class InvalidInputError extends HeedError {
  // Names are written out: minifiers rename classes.
  override readonly name: string = "InvalidInputError";
  readonly code = "invalid-input";
  /** The argument at fault, as the caller wrote it, e.g. `"mask"` or `"window.left"`. */
  readonly argument: string;
  /** The values that the argument accepts, in words. */
  readonly expected: string;
  /** The value that was given, in words. */
  readonly actual: string;

  constructor(argument: string, expected: string, actual: string, options?: ErrorOptions) {
    const name = shorten(argument, 200);
    super(`${name}: expected ${expected}, got ${actual}`, options);
    this.argument = name;
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
  /** A remedy for the caller, in words. */
  readonly hint?: string;
}

/** A backend's name with its reasons for not running a problem. */
export interface BackendReasons {
  readonly backend: string;
  readonly reasons: readonly SupportReason[];
}

/** No backend that may run the problem supports it. The message carries every backend's reasons. */
export class UnsupportedError extends HeedError {
  override readonly name: string = "UnsupportedError";
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
  override readonly name: string = "BackendUnavailableError";
  readonly code = "backend-unavailable";
  /** The reason why it is unavailable, in a sentence. */
  readonly reason: string;
  /** A way to make it available, in words. */
  readonly hint: string | undefined;

  constructor(reason: string, hint?: string, options?: ErrorOptions) {
    super(hint === undefined ? reason : `${reason} (${hint})`, options);
    this.reason = reason;
    this.hint = hint;
  }
}

/** Something was used after its `dispose()`. */
export class DisposedError extends HeedError {
  override readonly name: string = "DisposedError";
  readonly code = "disposed";
  /** Name of the disposed object as the caller knows it, e.g. `"query"` or `"attention"`. */
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
  override readonly name: string = "DeviceError";
  readonly code: string = "device-error";
  /** The backend's name; `"host"` for memory of the JavaScript engine itself. */
  readonly backend: string;

  constructor(backend: string, message: string, options?: ErrorOptions) {
    super(`${backend}: ${message}`, options);
    this.backend = backend;
  }
}

/** A device has too little memory left for what was asked. Disposing tensors may help. */
export class OutOfMemoryError extends DeviceError {
  override readonly name: string = "OutOfMemoryError";
  override readonly code = "out-of-memory";
}

/**
 * A device is gone: it was destroyed, unplugged, or reset by its driver. Everything in its memory is
 * lost; the provider can load again.
 */
export class DeviceLostError extends DeviceError {
  override readonly name: string = "DeviceLostError";
  override readonly code = "device-lost";
}

/**
 * A backend broke a promise of its interface: it threw something that is no {@link HeedError}, or
 * resolved with something that is no result. `cause` is what it threw.
 */
export class BackendError extends HeedError {
  override readonly name: string = "BackendError";
  readonly code = "backend-error";
  /** The backend's name. */
  readonly backend: string;

  constructor(backend: string, message: string, options?: ErrorOptions) {
    super(`backend ${backend}: ${message}`, options);
    this.backend = backend;
  }
}

/** The error of each code. `"device-error"` includes the two codes that are special cases of it. */
export interface HeedErrorOfCode {
  readonly "invalid-input": InvalidInputError;
  readonly unsupported: UnsupportedError;
  readonly "backend-unavailable": BackendUnavailableError;
  readonly disposed: DisposedError;
  readonly "device-error": DeviceError;
  readonly "out-of-memory": OutOfMemoryError;
  readonly "device-lost": DeviceLostError;
  readonly "backend-error": BackendError;
}

export type HeedErrorCode = keyof HeedErrorOfCode;

const nameOfCode: Readonly<Record<HeedErrorCode, string>> = {
  "invalid-input": "InvalidInputError",
  unsupported: "UnsupportedError",
  "backend-unavailable": "BackendUnavailableError",
  disposed: "DisposedError",
  "device-error": "DeviceError",
  "out-of-memory": "OutOfMemoryError",
  "device-lost": "DeviceLostError",
  "backend-error": "BackendError",
};

const deviceErrors: ReadonlySet<string> = new Set(["device-error", "out-of-memory", "device-lost"]);

/**
 * Whether a value is an error of Heed, by what it says of itself instead of by its class, so that
 * errors of another copy of this package, of another realm or of a minified bundle are recognised.
 *
 * @param code the kind of error; left out, any of them
 */
export function isHeedError(value: unknown): value is HeedError;
export function isHeedError<C extends HeedErrorCode>(
  value: unknown,
  code: C,
): value is HeedErrorOfCode[C];
export function isHeedError(value: unknown, code?: HeedErrorCode): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    const {
      code: its,
      name,
      message,
    } = value as { code: unknown; name: unknown; message: unknown };
    if (typeof its !== "string" || typeof message !== "string") return false;
    if (!Object.hasOwn(nameOfCode, its)) return value instanceof HeedError && code === undefined;
    const known = value instanceof HeedError || name === nameOfCode[its as HeedErrorCode];
    const wanted =
      code === undefined || code === its || (code === "device-error" && deviceErrors.has(its));
    return known && wanted;
  } catch {
    return false;
  }
}

/** One line a reason, indented, for messages and reports. */
export function formatReasons(backends: readonly BackendReasons[]): string {
  return backends
    .flatMap(({ backend, reasons }) =>
      reasons.map(({ message, hint }) => `  ${backend}: ${message}${hint ? ` (${hint})` : ""}`),
    )
    .join("\n");
}

export { describeThrown, describeValue, messageOf } from "./describe-value.js";
