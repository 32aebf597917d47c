/** The most buffers that are kept, and the most bytes of one. */
const mostKept = 64;
const mostBytes = 262_144;

/**
 * Buffers of requests that were answered, for later ones. A request of some kilobytes for each part and layer keeps the garbage
 * collector busy otherwise.
 */
export class MessageBuffers {
  /** All of one size, the largest so far. */
  #kept: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;

  /** A buffer with any content, of so many bytes or more. */
  take(leastBytes: number): Uint8Array<ArrayBuffer> {
    if (leastBytes > mostBytes) return new Uint8Array(leastBytes);
    this.#grow(leastBytes);
    return this.#kept.pop() ?? new Uint8Array(this.#size);
  }

  /** @param message whose buffer nobody reads any more */
  give({ buffer }: Uint8Array<ArrayBuffer>): void {
    const { byteLength } = buffer;
    if (byteLength < this.#size || byteLength > mostBytes) return;
    this.#grow(byteLength);
    if (this.#kept.length < mostKept) this.#kept.push(new Uint8Array(buffer));
  }

  #grow(size: number): void {
    if (size <= this.#size) return;
    this.#size = size;
    this.#kept = [];
  }
}
