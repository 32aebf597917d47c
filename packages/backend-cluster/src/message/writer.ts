import { contiguous, elementCount, type HostTensor, isContiguous } from "@heed/core";
import { dtypeCodes, magic, mostTextBytes, version } from "./layout.js";

const utf8 = new TextEncoder();

/** Builds a message, field after field. */
export class MessageWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /**
   * @param kind of the request, or status of the answer
   * @param room bytes that the message is written to for as long as it fits, or the bytes of its tensors and lists
   */
  constructor(kind: number, room: number | Uint8Array<ArrayBuffer> = 0) {
    this.#bytes = typeof room === "number" ? new Uint8Array(room + 1024) : room;
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    this.u32(magic);
    this.u8(version);
    this.u8(kind);
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** An integer from 0 to 2^53 − 1, as a float64. */
  count(value: number): this {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value, true);
    return this;
  }

  /** At most 65,535 bytes of UTF-8. */
  text(value: string): this {
    // Three bytes for each unit of UTF-16 at most; what is not needed is given back.
    const at = this.#reserve(2 + 3 * value.length);
    const { written } = utf8.encodeInto(value, this.#bytes.subarray(at + 2));
    if (written > mostTextBytes) throw new RangeError("a text of a message has too many bytes");
    this.#view.setUint16(at, written, true);
    this.#length = at + 2 + written;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.u32(value.byteLength);
    return this.#append(value);
  }

  /** Integers, or nothing. */
  ints(values: Int32Array | null): this {
    if (values === null) return this.u8(0);
    this.u8(1).u32(values.length);
    return this.#append(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  /** Float64 numbers, or nothing. */
  numbers(values: Float64Array | null): this {
    if (values === null) return this.u8(0);
    this.u8(1).u32(values.length);
    return this.#append(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  /** A tensor, or nothing. */
  tensor(t: HostTensor | null): this {
    if (t === null) return this.u8(0);
    this.u8(1).u8(dtypeCodes.indexOf(t.dtype)).u8(t.shape.length);
    for (const size of t.shape) this.u32(size);
    const dense = isContiguous(t) ? t : (contiguous(t) as HostTensor);
    const { data } = dense;
    const count = elementCount(t.shape);
    const size = data.BYTES_PER_ELEMENT;
    return this.#append(
      new Uint8Array(data.buffer, data.byteOffset + dense.offset * size, count * size),
    );
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #append(value: Uint8Array): this {
    const at = this.#reserve(value.byteLength);
    this.#bytes.set(value, at);
    return this;
  }

  /** @returns where the reserved bytes begin; the buffer may be another one afterwards */
  #reserve(bytes: number): number {
    const start = this.#length;
    const end = start + bytes;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = end;
    return start;
  }
}
