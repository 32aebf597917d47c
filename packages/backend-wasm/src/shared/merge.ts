/**
 * The descriptor of a call of merging partial attention: everything that the kernel is told, as 32-bit words in
 * wasm memory. Each constant is a byte offset into it.
 *
 * Pointers are byte addresses.
 */

/** Number of parts, ≥ 1. */
export const parts = 0;
/** Number of axes of a log-sum-exp; 0 for a single row. */
export const axes = 4;
/** Product of the sizes of these axes. */
export const rows = 8;
export const valueDim = 12;
/** 1: the outputs, those of the parts and the merged one, are float16. */
export const isFloat16 = 16;
/** 1: the log-sum-exps of the parts are float16. */
export const logSumExpIsFloat16 = 20;
/**
 * Table of int32: the size of each axis; the index along each axis of the row at hand, 0 at first; then for each
 * part a record of the address of the row at hand of its output, the address of the log-sum-exp of that row, and
 * for each axis how many bytes these two addresses move to the next row when the index along this axis is the
 * one that grows (those of later axes return to 0).
 */
export const tablePointer = 24;
/** Row-major `[rows, valueDim]`, in the dtype of the parts. */
export const outputPointer = 28;
/** float32 `[rows]`. */
export const logSumExpPointer = 32;
/** Room for `entryBytes` bytes for each part. */
export const workPointer = 36;

/** Size of a descriptor. */
export const descriptorBytes = 64;
/** Workspace for each part: the address of a row and, 8 bytes later, its float64 weight. */
export const entryBytes = 16;
