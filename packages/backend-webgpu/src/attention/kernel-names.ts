/** The algorithms that compute outputs, each a file in `kernels`. Apart from them: options name them, too. */
export const kernelNames = ["tile", "row", "decode", "quad", "stream", "subgroup-matrix"] as const;
export type KernelName = (typeof kernelNames)[number];
