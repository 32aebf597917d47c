/** The parts of a kernel's name. */
export interface KernelName {
  /** The operation, e.g. `attention`. */
  readonly operation: string;
  /** The algorithm, e.g. `tile`. */
  readonly kernel: string;
  /** Element type of inputs and outputs. */
  readonly dtype?: string | undefined;
  /** Sizes of the tile, joined by `x`. */
  readonly tile?: readonly (string | number)[] | undefined;
  /** Everything else that the text depends on; false: does not apply. */
  readonly variants?: readonly (string | false)[];
}

/**
 * The name of a kernel, which identifies its text:
 *
 *     <operation>-<kernel>[-<dtype>][-<tile>][-<variant>]…
 *
 * such as `attention-tile-f32-64x32x64-subgroups`.
 */
export function kernelName({
  operation,
  kernel,
  dtype,
  tile = [],
  variants = [],
}: KernelName): string {
  const parts = [operation, kernel, dtype, tile.join("x"), ...variants];
  return parts.filter(Boolean).join("-");
}
