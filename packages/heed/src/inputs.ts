import type { AbortSignalLike, Attention, DType, HostTensor, TypedArray } from "@heed/core";

/** A typed array with the shape that it is to be read in, row-major. */
export interface ArrayWithShape {
  readonly data: TypedArray;
  readonly shape: readonly number[];
  /** Needed for `Uint16Array` (bits of float16) and for masks in a `Uint8Array` (`"bool"`). */
  readonly dtype?: DType | undefined;
}

/** A tensor in host memory, as a tensor or as a typed array with a shape. */
export type HostInput = HostTensor | ArrayWithShape;

/** Options of {@link scaledDotProductAttention}, with PyTorch's names in camel case. */
export interface ScaledDotProductOptions<T = HostInput> {
  /**
   * bool: true = takes part. Of the query's dtype or float32: added to the scores. Broadcasts to
   * [(batch, heads,) queryLength, keyLength].
   */
  readonly attnMask?: T | undefined;
  /** Only 0 is possible: attention is computed for inference. */
  readonly dropoutP?: 0 | undefined;
  /**
   * Whether query i sees keys 0 to i alone, counted from the top left also where there are more keys
   * than queries. Not together with `attnMask`. Default false.
   */
  readonly isCausal?: boolean | undefined;
  /** Factor of the dot products. Default 1/√headDim. */
  readonly scale?: number | undefined;
  /** Whether key and value may have fewer heads, each shared by as many query heads. Default false. */
  readonly enableGqa?: boolean | undefined;
  /** An attention of one's own. Default: one for all calls, made by the first of them. */
  readonly attention?: Attention | undefined;
  readonly signal?: AbortSignalLike | undefined;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
}
