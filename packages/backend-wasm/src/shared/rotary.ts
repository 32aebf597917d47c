/**
 * The descriptor of a call of rotary position embedding: all that the kernel is told, as 32-bit words in
 * wasm memory. Each constant is a byte offset into it.
 *
 * Pointers are byte addresses, 0 for what is absent; strides are in elements.
 */

/** `[batch, heads, length, headDim]`; elements of a row are neighbours. */
export const inputPointer = 0;
export const inputBatchStride = 4;
export const inputHeadStride = 8;
export const inputRowStride = 12;
/** `[tableRows, rotaryDim / 2]`, or `[batch, length, rotaryDim / 2]`; elements of a row are neighbours. */
export const cosPointer = 16;
/** 0 for a table of rank 2, like that of the sines. */
export const cosBatchStride = 20;
export const cosRowStride = 24;
export const sinPointer = 28;
export const sinBatchStride = 32;
export const sinRowStride = 36;
/** int32 `[batch, length]`: the row of the tables for each token; 0: tables of rank 3 have a row for each. */
export const rowsPointer = 40;
/** Row-major `[batch, heads, length, headDim]`. */
export const outputPointer = 44;

export const batch = 48;
export const heads = 52;
export const length = 56;
export const headDim = 60;
export const rotaryDim = 64;
/** 1: pairs are neighbours; 0: pairs are elements i and i + rotaryDim / 2. */
export const interleaved = 68;
/** 1: input and output are float16. */
export const isFloat16 = 72;
/** 1: cosines and sines are float16, and so are input and output. */
export const tablesAreFloat16 = 76;
/** Room for four rows of `rotaryDim` float32, each padded to a multiple of four; 0 unless the input is float16. */
export const workPointer = 80;

/** Size of a descriptor. */
export const descriptorBytes = 128;
