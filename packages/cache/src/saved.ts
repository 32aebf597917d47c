import {
  bytesPerElement,
  elementCount,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type Tensor,
  type TypedArray,
  tensor,
  zeros,
} from "@heed/core";
import { readSafeTensors, writeSafeTensors } from "@heed/core/safetensors";
import { integers, tensorShape } from "./memory/place.js";
import type { Side, Sides } from "./memory/rows.js";
import { type CacheOptions, type CacheRotary, type CacheSizes, checkOptions } from "./options.js";
import type { CacheState } from "./state/state.js";

/** Name and version of what the tensors mean. */
const format = "heed-cache-1";

const sides = ["key", "value"] as const;

/** A saved cache, read and checked as far as that is possible without its state. */
export interface SavedCache {
  readonly options: CacheOptions;
  readonly sides: Sides<HostTensor>;
  /** State by name, unchecked. */
  readonly state: Readonly<Record<string, Int32Array | undefined>>;
}

/**
 * A cache as a safetensors file: `key`, `value` and the scales of int8, without rows that hold no token;
 * what is in which row as int32; the options as JSON in the metadata.
 */
export async function saveCache(
  sizes: CacheSizes,
  rotary: CacheRotary | null,
  state: CacheState,
  tensors: Sides<HostTensor>,
): Promise<Uint8Array> {
  const used = state.used();
  const saved: Record<string, HostTensor> = {};
  for (const name of sides) {
    const { rows, scales } = tensors[name];
    saved[name] = packed(rows, used);
    if (scales) saved[`${name}Scales`] = packed(scales, used);
  }
  for (const [name, values] of Object.entries(state.save())) saved[name] = integers(values);
  const options: Record<string, unknown> = Object.fromEntries(
    Object.entries(sizes).filter(([name]) => isOptionOf(sizes.kind, name)),
  );
  if (rotary !== null) options.rotary = await saveRotary(rotary, saved);
  return writeSafeTensors({
    tensors: saved,
    metadata: { format, options: JSON.stringify(options) },
  });
}

/** Options that say something in a cache of a kind. */
function isOptionOf(kind: CacheSizes["kind"], name: string): boolean {
  if (name === "window" || name === "keep") return kind === "rolling";
  return (name !== "pageSize" && name !== "maxLength") || kind === "paged";
}

/** The options of rotary as JSON; tables become tensors of the file. */
async function saveRotary(
  { cos, sin, inverseFrequencies, ...rest }: CacheRotary,
  saved: Record<string, HostTensor>,
): Promise<object> {
  const host = async (t: Tensor) => (isDeviceTensor(t) ? t.read() : (t as HostTensor));
  if (cos !== undefined) saved.rotaryCos = await host(cos);
  if (sin !== undefined) saved.rotarySin = await host(sin);
  return { ...rest, ...(inverseFrequencies && { inverseFrequencies: [...inverseFrequencies] }) };
}

/** `[entries, heads, rows, …]` of the entries in use and their first rows; zeros where one has fewer. */
function packed(t: HostTensor, used: ReturnType<CacheState["used"]>): HostTensor {
  const [, heads, , ...size] = t.shape as [number, number, number, ...number[]];
  const most = used.reduce((most, { rows }) => Math.max(most, rows), 0);
  const result = zeros(t.dtype, [used.length, heads, most, ...size]);
  for (const [i, { entry, rows }] of used.entries()) copyRows(result, i, t, entry, rows);
  return result;
}

/** Copies the first rows of an entry of a tensor whose rows of a head lie side by side to those of an entry of another. */
function copyRows(
  target: HostTensor,
  to: number,
  source: HostTensor,
  from: number,
  rows: number,
): void {
  const heads = target.shape[1] as number;
  const [intoEntry, intoHead] = target.strides as [number, number];
  const [ofEntry, ofHead] = source.strides as [number, number];
  // As bytes, so that every dtype keeps its bits.
  const bytes = (t: HostTensor): Uint8Array => {
    const { buffer, byteOffset, byteLength } = t.data as TypedArray;
    return new Uint8Array(buffer, byteOffset, byteLength);
  };
  const width = bytesPerElement(target.dtype);
  const length = rows * elementCount(target.shape.slice(3)) * width;
  const [data, given] = [bytes(target), bytes(source)];
  for (let h = 0; h < heads; h++) {
    const start = (from * ofEntry + h * ofHead) * width;
    data.set(given.subarray(start, start + length), (to * intoEntry + h * intoHead) * width);
  }
}

/** @throws InvalidInputError naming what is wrong with a file */
export function readSaved(bytes: Uint8Array): SavedCache {
  const { tensors, metadata } = readSafeTensors(bytes);
  if (metadata.format !== format) {
    throw new InvalidInputError("bytes", `a saved cache, ${format}`, `${metadata.format}`);
  }
  const options = readOptions(metadata.options, tensors);
  const sizes = checkOptions(options);
  const side = (name: (typeof sides)[number]): Side<HostTensor> => {
    const size = name === "key" ? sizes.headDim : sizes.valueDim;
    return {
      rows: unpacked(sizes, name, tensors[name], sizes.dtype, [size]),
      scales:
        sizes.dtype === "int8"
          ? unpacked(sizes, `${name}Scales`, tensors[`${name}Scales`], "float32", [])
          : null,
    };
  };
  const state = Object.fromEntries(
    Object.entries(tensors)
      .filter(([, { dtype }]) => dtype === "int32")
      .map(([name, { data }]) => [name, data as Int32Array]),
  );
  return { options, sides: { key: side("key"), value: side("value") }, state };
}

function readOptions(
  text: string | undefined,
  tensors: Readonly<Record<string, HostTensor>>,
): CacheOptions {
  try {
    const options = JSON.parse(text ?? "") as CacheOptions;
    if (!options.rotary) return options;
    const { rotaryCos: cos, rotarySin: sin } = tensors;
    return { ...options, rotary: { ...options.rotary, ...(cos && { cos }), ...(sin && { sin }) } };
  } catch (cause) {
    throw new InvalidInputError("bytes", "options as JSON", "text that is none", { cause });
  }
}

/** A tensor of the whole cache whose first entries have the rows saved. */
function unpacked(
  sizes: CacheSizes,
  name: string,
  saved: HostTensor | undefined,
  dtype: HostTensor["dtype"],
  size: readonly number[],
): HostTensor {
  const [entries, rows] = tensorShape(sizes);
  const { shape = [] } = saved ?? {};
  const [count = 0, , most = 0] = shape;
  const expected = [count, sizes.kvHeads, most, ...size];
  const fits = `${shape}` === `${expected}` && count <= entries && most <= rows;
  if (saved?.dtype !== dtype || !fits) {
    throw new InvalidInputError(
      name,
      `${dtype} of at most [${[entries, sizes.kvHeads, rows, ...size].join(", ")}]`,
      saved === undefined ? "none" : `${saved.dtype} of [${shape.join(", ")}]`,
    );
  }
  const result = zeros(dtype, [entries, sizes.kvHeads, rows, ...size]);
  const given = saved.dtype === "float16" ? tensor(saved.data, shape, { dtype }) : saved;
  for (let i = 0; i < count; i++) copyRows(result, i, given, i, most);
  return result;
}
