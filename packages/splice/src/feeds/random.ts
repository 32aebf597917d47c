import { InvalidInputError, numberToFloat16Bits } from "@heed/core";
import type { ModelInput, OnnxTensor } from "../spliced-model.js";

/** Sizes by the file's names for them; `batch` is any first axis, `length` any other, that has no size by its name. */
export type FeedSizes = Readonly<Record<string, number>>;

/**
 * Sizes as a command line has them: `batch=1,length=128`.
 *
 * @throws InvalidInputError
 */
export function parseSizes(text: string): FeedSizes {
  return Object.fromEntries(
    text.split(",").map((part) => {
      const at = part.lastIndexOf("=");
      const size = Number(part.slice(at + 1));
      if (at < 1 || !Number.isInteger(size) || size < 0) {
        throw new InvalidInputError(
          "random",
          "NAME=SIZE, with commas between",
          JSON.stringify(part),
        );
      }
      return [part.slice(0, at).trim(), size];
    }),
  );
}

/**
 * Feeds that fit a model: floats between −1 and 1; indices that its embeddings have; ones for masks; positions 0,
 * 1, 2 …. The same sizes give the same numbers.
 *
 * @throws InvalidInputError for an input whose sizes or element type nothing says
 */
export function randomFeeds(
  inputs: readonly ModelInput[],
  sizes: FeedSizes,
): Record<string, OnnxTensor> {
  return Object.fromEntries(
    inputs.map((input, at) => {
      const dims = dimsOf(input, sizes);
      const next = generator(at + 1);
      return [input.name, filled(input, dims, next)];
    }),
  );
}

function dimsOf({ name, dims }: ModelInput, sizes: FeedSizes): number[] {
  if (!dims)
    throw new InvalidInputError(`feeds.${name}`, "a file: the model says no sizes", "random");
  return dims.map((size, axis) => {
    if (typeof size === "number") return size;
    const named = size === null ? undefined : sizes[size];
    const general = axis === 0 ? (sizes.batch ?? 1) : sizes.length;
    const found = named ?? (/past/i.test(size ?? "") ? 0 : general);
    if (found !== undefined) return found;
    const wanted = size === null ? "length" : `${size}, or length`;
    throw new InvalidInputError("random", `a size of ${wanted}, for ${name}`, "none");
  });
}

function filled(
  { name, elementType, embeddingRows }: ModelInput,
  dims: readonly number[],
  next: () => number,
): OnnxTensor {
  const count = dims.reduce((product, size) => product * size, 1);
  const last = dims.at(-1) ?? 1;
  const integer = (at: number): number => {
    if (/mask/i.test(name)) return 1;
    if (/position/i.test(name)) return at % last;
    return Math.floor(next() * (embeddingRows ?? 2));
  };
  const float = (): number => 2 * next() - 1;
  switch (elementType) {
    case 1:
      return { type: "float32", dims, data: Float32Array.from({ length: count }, float) };
    case 11:
      return { type: "float64", dims, data: Float64Array.from({ length: count }, float) };
    case 10:
      return {
        type: "float16",
        dims,
        data: Uint16Array.from({ length: count }, () => numberToFloat16Bits(float())),
      };
    case 7:
      return {
        type: "int64",
        dims,
        data: BigInt64Array.from({ length: count }, (_, at) => BigInt(integer(at))),
      };
    case 6:
      return {
        type: "int32",
        dims,
        data: Int32Array.from({ length: count }, (_, at) => integer(at)),
      };
    case 9:
      return { type: "bool", dims, data: new Uint8Array(count).fill(1) };
    default:
      throw new InvalidInputError(
        `feeds.${name}`,
        "a file: random numbers are of float, integer and bool",
        `element type ${elementType}`,
      );
  }
}

/** Numbers from 0 to 1 (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
