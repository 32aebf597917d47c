import { controlAddress, controlBytes } from "../shared/control.js";
import { Allocator, alignment } from "./allocator.js";
import { WasmOutOfMemoryError } from "./errors.js";

export const pageBytes = 65536;
/** Pages that 32-bit addresses reach: 4 GiB. */
export const mostPages = 65536;
/** Lowest address that is handed out. */
export const firstAddress: number = controlAddress + controlBytes;

/** Views of the whole memory. */
interface Views {
  readonly buffer: ArrayBufferLike;
  readonly words: Int32Array;
  readonly floats: Float32Array;
  readonly halves: Uint16Array;
  readonly octets: Int8Array;
}

/** Bytes at the end of the memory that are not handed out: kernels read up to a vector past a row. */
const readPastEnd = alignment;

/** Wasm memory and its allocations. It grows as needed and never shrinks, as wasm memory cannot. */
export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  readonly #limit: number;
  readonly #allocator: Allocator;
  #views: Views | null = null;

  /** @param limit bytes that it may grow to */
  constructor(memory: WebAssembly.Memory, limit: number) {
    this.memory = memory;
    this.#limit = limit;
    this.#allocator = new Allocator(firstAddress);
    this.#allocator.extend(memory.buffer.byteLength - readPastEnd);
  }

  /** Bytes that it may grow to. */
  get limit(): number {
    return this.#limit;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#allocator.used;
  }

  /** Size in bytes, used or not. */
  get size(): number {
    return this.memory.buffer.byteLength;
  }

  /**
   * @returns the address of `bytes` bytes of unknown content
   * @throws WasmOutOfMemoryError, and nothing has changed
   */
  allocate(bytes: number): number {
    const address = this.#allocator.allocate(bytes);
    if (address !== null) return address;
    this.#grow(this.#allocator.endFor(bytes) + readPastEnd, bytes);
    return this.#allocator.allocate(bytes) as number;
  }

  free(address: number): void {
    this.#allocator.free(address);
  }

  /** The memory as int32 words. Void as soon as the memory grows: to be asked for after all allocations. */
  get words(): Int32Array {
    return this.#current().words;
  }

  /** The memory as float32; as `words`. */
  get floats(): Float32Array {
    return this.#current().floats;
  }

  /** The memory as bits of float16; as `words`. */
  get halves(): Uint16Array {
    return this.#current().halves;
  }

  /** The memory as int8; as `words`. */
  get octets(): Int8Array {
    return this.#current().octets;
  }

  #current(): Views {
    const { buffer } = this.memory;
    if (this.#views?.buffer !== buffer) {
      this.#views = {
        buffer,
        words: new Int32Array(buffer),
        floats: new Float32Array(buffer),
        halves: new Uint16Array(buffer),
        octets: new Int8Array(buffer),
      };
    }
    return this.#views;
  }

  /** A view of the memory. It is void as soon as the memory grows. */
  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  #grow(end: number, bytes: number): void {
    const fail = (cause?: unknown): never => {
      throw new WasmOutOfMemoryError(bytes, this.used, this.#limit, { cause });
    };
    if (end > this.#limit) fail();
    const pages = (size: number): number => Math.ceil((size - this.size) / pageBytes);
    try {
      // An eighth more than needed: a loop whose tensors grow by a row must not grow the memory, and
      // void all views of it, each time.
      this.memory.grow(pages(Math.min(this.#limit, end + this.size / 8)));
    } catch {
      try {
        this.memory.grow(pages(end));
      } catch (cause) {
        fail(cause);
      }
    }
    this.#allocator.extend(this.size - readPastEnd);
  }
}
