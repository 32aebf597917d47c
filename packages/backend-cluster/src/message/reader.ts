import {
  bytesPerElement,
  type DType,
  elementCount,
  type HostTensor,
  type TypedArray,
  tensor,
} from "@heed/core";
import { MalformedMessageError } from "./errors.js";
import { dtypeCodes, magic, mostAxes, version } from "./layout.js";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a message, field after field. Nothing that it says is trusted: every length is compared with the bytes
 * that are there before anything is allocated for it.
 */
export class MessageReader {
  /** Kind of the request, or status of the answer. */
  readonly kind: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** @throws MalformedMessageError unless the bytes begin as a message of this version */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.u32() !== magic) throw new MalformedMessageError("it is no message of Heed");
    const its = this.u8();
    if (its !== version) {
      throw new MalformedMessageError(`it is of version ${its}, and this is version ${version}`);
    }
    this.kind = this.u8();
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** An integer from 0 to 2^53 − 1. */
  count(): number {
    const value = this.#view.getFloat64(this.#take(8), true);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new MalformedMessageError(`${value} is no count`);
    }
    return value;
  }

  text(): string {
    const length = this.#view.getUint16(this.#take(2), true);
    const start = this.#take(length);
    try {
      return utf8.decode(this.#bytes.subarray(start, start + length));
    } catch (cause) {
      throw new MalformedMessageError("a text is no UTF-8", { cause });
    }
  }

  /** A view of the message's own bytes. */
  bytes(): Uint8Array {
    const length = this.u32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  ints(): Int32Array | null {
    if (!this.flag()) return null;
    return new Int32Array(this.#copy(this.u32(), 4));
  }

  numbers(): Float64Array | null {
    if (!this.flag()) return null;
    return new Float64Array(this.#copy(this.u32(), 8));
  }

  tensor(): HostTensor | null {
    if (!this.flag()) return null;
    const dtype = this.dtype();
    const shape = this.shape();
    const count = elementCount(shape);
    return tensor(typedArray(dtype, this.#copy(count, bytesPerElement(dtype))), shape, { dtype });
  }

  /**
   * A view of the elements of a tensor, row-major and not aligned.
   *
   * @throws MalformedMessageError unless it has this element type and this shape
   */
  elements(dtype: DType, shape: readonly number[]): Uint8Array {
    let same = this.flag() && this.dtype() === dtype && this.u8() === shape.length;
    for (let axis = 0; same && axis < shape.length; axis++) same = this.u32() === shape[axis];
    if (!same) {
      throw new MalformedMessageError(`a tensor is not ${dtype} of the shape ${shape.join(" × ")}`);
    }
    const start = this.#take(elementCount(shape) * bytesPerElement(dtype));
    return this.#bytes.subarray(start, this.#at);
  }

  dtype(): DType {
    const code = this.u8();
    const dtype = dtypeCodes[code];
    if (dtype === undefined) throw new MalformedMessageError(`${code} is no element type`);
    return dtype;
  }

  /** At most four sizes, with at most 2^31 − 1 elements in all. */
  shape(): number[] {
    const axes = this.u8();
    if (axes > mostAxes) throw new MalformedMessageError(`a tensor has ${axes} axes`);
    const shape = Array.from({ length: axes }, () => this.u32());
    const count = shape.reduce((product, size) => product * Math.max(1, size), 1);
    if (count >= 2 ** 31) throw new MalformedMessageError("a tensor has 2^31 elements or more");
    return shape;
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw new MalformedMessageError(`${value} is neither 0 nor 1`);
    return value === 1;
  }

  /** @throws MalformedMessageError if bytes are left */
  end(): void {
    const left = this.#bytes.byteLength - this.#at;
    if (left > 0) throw new MalformedMessageError(`${left} bytes are left over`);
  }

  /** A copy, aligned for any typed array. */
  #copy(count: number, bytes: number): ArrayBuffer {
    const start = this.#take(count * bytes);
    // Not by slice: that of Node's buffers shares their memory.
    const copy = new Uint8Array(count * bytes);
    copy.set(this.#bytes.subarray(start, this.#at));
    return copy.buffer;
  }

  #take(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#bytes.byteLength) {
      throw new MalformedMessageError(
        `it ends after ${this.#bytes.byteLength} bytes, within a field`,
      );
    }
    this.#at = start + bytes;
    return start;
  }
}

/** A typed array over a buffer; float16 as its bits, which every runtime can hold. */
export function typedArray(dtype: DType, buffer: ArrayBuffer): TypedArray {
  switch (dtype) {
    case "float64":
      return new Float64Array(buffer);
    case "float32":
      return new Float32Array(buffer);
    case "float16":
      return new Uint16Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "int8":
      return new Int8Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}
