import { type HostTensor, tensor } from "@heed/core";

/** Numbers of at most 1. */
export const filled = (shape: readonly number[], seed: number): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + i)),
    shape,
  );
