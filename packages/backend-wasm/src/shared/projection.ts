/**
 * The descriptor of a projection: everything that the kernel is told, as 32-bit words in wasm memory. Each constant
 * is a byte offset into it. Pointers are byte addresses.
 */

/** Rows of the input: batch · length. */
export const rows = 0;
/** Rows of an entry of the batch. */
export const length = 4;
/** Elements of an input row, ≥ 1. */
export const inputSize = 8;
/** Elements of an output row. */
export const outputSize = 12;
/** Outputs of an item of work: a multiple of 2. */
export const itemOutputs = 16;
/** Rows of the input that are worked on together: a multiple of 4. */
export const blockRows = 20;
/** 1: all tensors are float16. */
export const isFloat16 = 24;
/** 1: a single row takes the kernel of four, so that it has the same bits among others. */
export const isInvariant = 28;
export const inputPointer = 32;
/** Bytes from one entry of the batch to the next, and from one row to the next. */
export const inputBatchStride = 36;
export const inputRowStride = 40;
export const weightPointer = 44;
/** Bytes from one row of the weight to the next. */
export const weightStride = 48;
/** 0: no bias. Its elements are neighbours. */
export const biasPointer = 52;
/** Row-major `[rows, outputSize]`. */
export const outputPointer = 56;

/** Size of a descriptor. */
export const descriptorBytes = 64;
/** Rows that share a read of the weight. */
export const panelRows = 4;
/**
 * Added to the address of the descriptor of a shared job, which is even: the job is a projection, and not
 * attention.
 */
export const jobMark = 1;
