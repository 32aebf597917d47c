import { bytesPerElement, elementCount, InvalidInputError, type TensorLayout } from "@heed/core";
import type { DeviceAccess } from "./access.js";
import { boundPart, ElementKernel, groupSize, invocation } from "./element-kernel.js";
import type { ComputeDevice, GpuBuffer } from "./gpu.js";
import type { Placed } from "./memory.js";
import { lastElement } from "./storage.js";

/** The places to which the rows of a source go. */
export interface RowPlaces {
  /** Rows of an entry of the target. */
  readonly rows: number;
  /**
   * One for each row of the source, batch entry by batch entry: entry · rows + row of the target, each at most
   * once; −1 for a row that is not written.
   */
  readonly slots: Int32Array;
}

/** Writes rows into tensors on a device, where they are: what kernels that only make new tensors cannot. */
export class RowWriter<B extends GpuBuffer = GpuBuffer> {
  readonly #kernel: ElementKernel<B>;

  constructor(device: ComputeDevice<B>, access: DeviceAccess<B>) {
    this.#kernel = new ElementKernel(device, access, "heed write rows", code);
  }

  /**
   * Submits a write of rows, bit by bit. Waits for nothing.
   *
   * @param target `[entries, heads, rows, size]`, of any strides with which no two elements share memory
   * @param source `[batch, heads, n, size]`, of any strides, with elements stored in the target's type, in another buffer
   * @returns a promise that rejects if the device refuses the write
   * @throws InvalidInputError for a source in the target's buffer, or stored in another type
   * @throws OutOfMemoryError, DeviceLostError
   */
  write(target: Placed<B>, source: Placed<B>, { rows, slots }: RowPlaces): Promise<void> {
    const stored = storedIn(target);
    if (storedIn(source) !== stored) {
      throw new InvalidInputError("source", `elements stored as ${stored}`, storedIn(source));
    }
    if (source.storage.buffer === target.storage.buffer) {
      const what = "a view of the target's buffer";
      throw new InvalidInputError("source", "a buffer of its own", what);
    }
    const count = elementCount(source.layout.shape);
    if (count === 0 || elementCount(target.layout.shape) === 0) return Promise.resolve();
    const size = bytesPerElement(stored);
    const [, heads, n, width] = source.layout.shape as [number, number, number, number];
    const [from, to] = [source, target].map(({ layout, storage }) =>
      boundPart(storage.buffer, { first: layout.offset, last: lastElement(layout), size }),
    ) as [ReturnType<typeof boundPart<B>>, ReturnType<typeof boundPart<B>>];
    const numbers = Uint32Array.from([
      ...[count, width, heads, n, rows],
      ...place(from.base, source.layout),
      ...place(to.base, target.layout),
      // A slot of −1 has every bit set.
      ...slots,
    ]);
    const buffers = [from.bound, to.bound];
    return this.#kernel.submit("writing rows of a tensor", size, buffers, numbers, count);
  }
}

function storedIn({ layout, storage }: Placed): TensorLayout["dtype"] {
  return storage.stored ?? layout.dtype;
}

function place(base: number, { strides }: TensorLayout): readonly number[] {
  return [base, ...strides];
}

/**
 * An invocation writes one element.
 *
 * @param perWord elements of a word: 1, 2 or 4. Those that share one belong to several invocations, and may to
 *   rows that are not written: each clears and sets its own bits.
 */
function code(perWord: number): string {
  const bits = 32 / perWord;
  const mask = `${2 ** bits - 1}u`;
  const store =
    perWord === 1
      ? "atomicStore(&written[write_at], element);"
      : `let shift = write_at % ${perWord}u * ${bits}u;
  atomicAnd(&written[write_at / ${perWord}u], ~(${mask} << shift));
  atomicOr(&written[write_at / ${perWord}u], element << shift);`;
  return `
@group(0) @binding(0) var<storage, read> given: array<u32>;
@group(0) @binding(1) var<storage, read_write> written: array<atomic<u32>>;
// Elements of the source, and of a row; heads; rows of a batch entry of the source, and of an entry of the target;
// the index of the first element and the strides of the source, then of the target; the slots.
@group(0) @binding(2) var<storage, read> numbers: array<u32>;

@compute @workgroup_size(${groupSize})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let at = ${invocation};
  if (at >= numbers[0]) { return; }
  let column = at % numbers[1];
  let head = at / numbers[1] % numbers[2];
  let token = at / numbers[1] / numbers[2];
  let slot = numbers[15u + token];
  if (slot == 0xffffffffu) { return; }
  let n = numbers[3];
  let rows = numbers[4];
  let read_at = numbers[5] + token / n * numbers[6] + head * numbers[7] + token % n * numbers[8] + column * numbers[9];
  let write_at = numbers[10] + slot / rows * numbers[11] + head * numbers[12] + slot % rows * numbers[13] + column * numbers[14];
  let element = (given[read_at / ${perWord}u] >> (read_at % ${perWord}u * ${bits % 32}u)) & ${mask};
  ${store}
}
`;
}
