/** Sizes of the matrices that a subgroup multiplies at once: m × k elements of float16 by k × n, summed in float32. */
export interface MatrixSizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Threads of a workgroup: a multiple of every subgroup's size, as the feature demands. */
export const matrixThreads = 128;

/** Keys of a tile, columns multiplied at once, and what the head size is rounded up to. */
export const matrixStep = 32;
