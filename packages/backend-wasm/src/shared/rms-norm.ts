/**
 * The descriptor of a call of root mean square normalisation: all that the kernel is told, as 32-bit words in
 * wasm memory. Each constant is a byte offset into it.
 *
 * Pointers are byte addresses, 0 for what is absent; strides are in elements.
 */

/** `[batch, heads, rows, size]`; elements of a vector are neighbours. */
export const inputPointer = 0;
export const inputBatchStride = 4;
export const inputHeadStride = 8;
export const inputRowStride = 12;
/** `[size]`, elements are neighbours. */
export const weightPointer = 16;
/** Row-major `[batch, heads, rows, size]`. */
export const outputPointer = 20;

export const batch = 24;
export const heads = 28;
export const rows = 32;
export const vectorSize = 36;
/** float32. */
export const epsilon = 40;
/** 1: input, weight and output are float16. */
export const isFloat16 = 44;
/** Room for two vectors of float32, each padded to a multiple of four; 0 unless the input is float16. */
export const workPointer = 48;

/** Size of a descriptor. */
export const descriptorBytes = 64;
