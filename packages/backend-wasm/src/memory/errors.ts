import { OutOfMemoryError } from "@heed/core";

/** Wasm memory cannot hold what a call or an upload needs. The memory is as it was. */
export class WasmOutOfMemoryError extends OutOfMemoryError {
  /** Bytes asked for. */
  readonly bytes: number;
  /** Bytes in use when they were asked for. */
  readonly inUse: number;
  /** Bytes that the memory may grow to. */
  readonly limit: number;

  constructor(bytes: number, inUse: number, limit: number, options?: ErrorOptions) {
    super(
      "wasm",
      `memory cannot hold ${bytes} more bytes: ${inUse} are in use, and ${limit} are the most it may have`,
      options,
    );
    this.bytes = bytes;
    this.inUse = inUse;
    this.limit = limit;
  }
}
