import {
  type BoundScatter,
  bytesPerElement,
  type DType,
  elementCount,
  type HostTensor,
  isDeviceTensor,
  type ScatterInputs,
  scatter,
  scatterRows,
  slice,
  type Tensor,
  tensor,
  toFloat64,
} from "@heed/core";
import type { CacheInputs } from "../inputs.js";
import type { CacheSizes } from "../options.js";
import type { PageCopy } from "../state/state.js";
import { allocateIn, type Place, putInto, tensorShape } from "./place.js";

/** Keys or values, with the scales of int8 rows. */
export interface Side<T extends Tensor = Tensor> {
  /** `[batch or pages, kvHeads, rows, headDim or valueDim]`. */
  readonly rows: T;
  /** float32 `[batch or pages, kvHeads, rows]`; null unless the rows are int8. */
  readonly scales: T | null;
}

/** Both sides of a cache. */
export interface Sides<T extends Tensor = Tensor> {
  readonly key: Side<T>;
  readonly value: Side<T>;
}

const sides = ["key", "value"] as const;

/** The keys and values of a cache. Forks of a static or rolling cache share them until one writes. */
export class Rows {
  readonly place: Place;
  readonly sides: Sides;
  /** Keys and values as inputs of attention. */
  readonly inputs: Pick<CacheInputs, "key" | "value" | "keyScales" | "valueScales">;
  readonly bytes: number;
  readonly #sizes: CacheSizes;
  #users = 1;
  /** A page of each side that copies of pages go through; made when first needed. */
  #scratch: Sides | null = null;

  constructor(place: Place, sizes: CacheSizes, given: Sides) {
    this.place = place;
    this.sides = given;
    this.#sizes = sizes;
    const { key, value } = given;
    this.inputs = { key: key.rows, value: value.rows };
    if (key.scales && value.scales) {
      this.inputs = { ...this.inputs, keyScales: key.scales, valueScales: value.scales };
    }
    this.bytes = tensorsOf(given).reduce(
      (sum, { dtype, shape }) => sum + bytesPerElement(dtype) * elementCount(shape),
      0,
    );
  }

  /** Rows of zeros. */
  static allocate(place: Place, sizes: CacheSizes): Rows {
    return new Rows(place, sizes, allocateSides(place, sizes, tensorShape(sizes)));
  }

  /** Rows with the contents of host tensors, which must be of the right shapes and dtypes. */
  static async from(place: Place, sizes: CacheSizes, given: Sides<HostTensor>): Promise<Rows> {
    return new Rows(place, sizes, await putSides(place, sizes, given));
  }

  /** Whether another cache holds these rows, too. */
  get shared(): boolean {
    return this.#users > 1;
  }

  share(): void {
    this.#users += 1;
  }

  /** Ends one cache's use; the last one disposes the tensors. */
  leave(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    for (const held of [this.sides, this.#scratch]) if (held) tensorsOf(held).forEach(dispose);
  }

  /**
   * Writes rows of keys or values.
   *
   * @param slots `[batch, n]`, as the operation scatter has them
   * @returns undefined where they are written by then: in host memory
   */
  write(side: keyof Sides, source: Tensor, slots: Int32Array): Promise<unknown> | undefined {
    const paged = this.#sizes.kind === "paged";
    return scatterInto(this.place, this.sides[side], source, slots, paged);
  }

  /** Copies the first rows of pages to other pages. */
  copyPages(copies: readonly PageCopy[]): Promise<void> | undefined {
    if (copies.length === 0) return undefined;
    if (this.place.backend === null) {
      for (const copy of copies) for (const name of sides) copyHostPage(this.sides[name], copy);
      return undefined;
    }
    return this.#copyDevicePages(copies);
  }

  async #copyDevicePages(copies: readonly PageCopy[]): Promise<void> {
    for (const { from, to, rows } of copies) {
      for (const name of sides) {
        const side = this.sides[name];
        const slots = (first: number) => rowsFrom(first, rows, this.#sizes.pageSize);
        const target = slots(to * this.#sizes.pageSize);
        if (side.scales !== null) {
          await this.#through(side, from, (page) =>
            scatterInto(this.place, side, page, target, true),
          );
          continue;
        }
        // A device may not read and write one buffer at once: the rows go through a page of their own.
        this.#scratch ??= allocateSides(this.place, this.#sizes, [1, this.#sizes.pageSize]);
        const scratch = this.#scratch[name];
        const page = slice(side.rows, 0, from, from + 1) as Tensor;
        try {
          await scatterInto(this.place, scratch, page, slots(0), false);
        } finally {
          dispose(page);
        }
        await scatterInto(this.place, side, scratch.rows, target, true);
      }
    }
  }

  /**
   * Gives a page of int8 rows as numbers in host memory. In float64 they are exact, and quantised again they
   * are what they were.
   */
  async #through(
    { rows, scales }: Side,
    page: number,
    use: (page: HostTensor) => unknown,
  ): Promise<void> {
    const read = async (t: Tensor): Promise<Float64Array> => {
      const view = slice(t, 0, page, page + 1) as Tensor;
      try {
        return toFloat64(isDeviceTensor(view) ? await view.read() : (view as HostTensor));
      } finally {
        dispose(view);
      }
    };
    const [values, factors] = await Promise.all([read(rows), read(scales as Tensor)]);
    const size = rows.shape[3] as number;
    const numbers = values.map((x, i) => x * (factors[Math.floor(i / size)] as number));
    await use(tensor(numbers, [1, ...rows.shape.slice(1)]));
  }

  /**
   * The same rows in tensors of their own.
   *
   * @param indices entry of this one for each entry; not for pages
   * @returns a promise unless they are in host memory
   */
  clone(indices: Int32Array): Rows | Promise<Rows> {
    if (this.place.backend !== null) return this.#cloneOnDevice(indices);
    const copy = Rows.allocate(this.place, this.#sizes);
    for (const [i, t] of tensorsOf(this.sides).entries()) {
      copyEntries(tensorsOf(copy.sides)[i] as HostTensor, t as HostTensor, indices);
    }
    return copy;
  }

  async #cloneOnDevice(indices: Int32Array): Promise<Rows> {
    if (this.#sizes.dtype === "int8") {
      const host = await this.read();
      const empty = allocateSides(
        { ...this.place, backend: null },
        this.#sizes,
        tensorShape(this.#sizes),
      );
      for (const [i, t] of tensorsOf(host).entries()) {
        copyEntries(tensorsOf(empty)[i] as HostTensor, t as HostTensor, indices);
      }
      return Rows.from(this.place, this.#sizes, empty as Sides<HostTensor>);
    }
    const copy = Rows.allocate(this.place, this.#sizes);
    const slots = rowsFrom(0, this.#sizes.capacity, this.#sizes.capacity);
    try {
      for (const name of sides) {
        for (const [entry, from] of indices.entries()) {
          const target = slice(copy.sides[name].rows, 0, entry, entry + 1) as Tensor;
          const source = slice(this.sides[name].rows, 0, from, from + 1) as Tensor;
          try {
            await scatterInto(this.place, { rows: target, scales: null }, source, slots, false);
          } finally {
            dispose(target);
            dispose(source);
          }
        }
      }
    } catch (error) {
      copy.leave();
      throw error;
    }
    return copy;
  }

  /** The tensors in host memory; those that are there already are not copied. */
  async read(): Promise<Sides<HostTensor>> {
    const read = async (t: Tensor): Promise<HostTensor> =>
      isDeviceTensor(t) ? t.read() : (t as HostTensor);
    const side = async ({ rows, scales }: Side): Promise<Side<HostTensor>> => ({
      rows: await read(rows),
      scales: scales && (await read(scales)),
    });
    return { key: await side(this.sides.key), value: await side(this.sides.value) };
  }
}

function tensorsOf({ key, value }: Sides): Tensor[] {
  return [key.rows, value.rows, key.scales, value.scales].filter((t) => t !== null);
}

function dispose(t: Tensor): void {
  if (isDeviceTensor(t)) t.dispose();
}

/** Tensors of zeros for a number of batch entries or pages, with a number of rows each. */
export function allocateSides(
  place: Place,
  { kind, kvHeads, headDim, valueDim, dtype }: CacheSizes,
  [entries, rows]: readonly [number, number],
): Sides {
  const made: Tensor[] = [];
  const make = (type: DType, shape: readonly number[]): Tensor => {
    const t = allocateIn(place, type, shape, kind === "paged");
    made.push(t);
    return t;
  };
  const side = (size: number): Side => ({
    rows: make(dtype, [entries, kvHeads, rows, size]),
    scales: dtype === "int8" ? make("float32", [entries, kvHeads, rows]) : null,
  });
  try {
    return { key: side(headDim), value: side(valueDim) };
  } catch (error) {
    made.forEach(dispose);
    throw error;
  }
}

async function putSides(
  place: Place,
  { kind }: CacheSizes,
  given: Sides<HostTensor>,
): Promise<Sides> {
  const made: Tensor[] = [];
  const put = async (t: HostTensor): Promise<Tensor> => {
    const there = await putInto(place, t, kind === "paged");
    made.push(there);
    return there;
  };
  const side = async ({ rows, scales }: Side<HostTensor>): Promise<Side> => ({
    rows: await put(rows),
    scales: scales && (await put(scales)),
  });
  try {
    return { key: await side(given.key), value: await side(given.value) };
  } catch (error) {
    made.forEach(dispose);
    throw error;
  }
}

/** Slots `first`, `first + 1`, … for as many rows as there are; −1 for the others of a page. */
function rowsFrom(first: number, count: number, size: number): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => (i < count ? first + i : -1));
}

/** One call of scatter; in host memory it is done when this returns. */
function scatterInto(
  { attention, backend }: Place,
  { rows, scales }: Side,
  source: Tensor,
  slots: Int32Array,
  paged: boolean,
): Promise<unknown> | undefined {
  const inputs: ScatterInputs =
    scales === null
      ? { target: rows, source, slots, paged }
      : { target: rows, source, slots, paged, scales };
  if (backend !== null) return attention.apply(scatter, inputs);
  scatterRows(scatter.bind(scatter.describe(inputs), inputs) as BoundScatter<HostTensor>);
  return undefined;
}

function copyHostPage(side: Side, { from, to, rows }: PageCopy): void {
  for (const t of side.scales ? [side.rows, side.scales] : [side.rows]) {
    const { data, shape, strides } = t as HostTensor;
    const [ofPage, ofHead, ofRow] = strides as [number, number, number];
    for (let h = 0; h < (shape[1] as number); h++) {
      const start = from * ofPage + h * ofHead;
      const at = to * ofPage + h * ofHead;
      (data as Float32Array).copyWithin(at, start, start + rows * ofRow);
    }
  }
}

/** Entry b of a row-major tensor becomes entry `indices[b]` of another. */
function copyEntries(target: HostTensor, source: HostTensor, indices: Int32Array): void {
  const size = elementCount(target.shape.slice(1));
  const [to, from] = [target.data as Float32Array, source.data as Float32Array];
  for (const [entry, index] of indices.entries()) {
    to.set(from.subarray(index * size, (index + 1) * size), entry * size);
  }
}
