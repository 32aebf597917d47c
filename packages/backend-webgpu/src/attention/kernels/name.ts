import type { Storage } from "../../wgsl/kernel.js";
import { kernelName } from "../../wgsl/name.js";

/** Further things that a kernel's text depends on. */
export interface NameDetails {
  /** Element type of the bias; left out: as the inputs'. */
  readonly bias?: Storage;
  /** Element type of the output; left out: as the inputs'. */
  readonly output?: Storage;
  readonly variants?: readonly (string | false)[];
}

/**
 * The name of a kernel of attention. Types that differ from the inputs' are variants: `bias-f32`, `to-f32`.
 *
 * @param storage element type of the inputs
 * @param tile sizes, in the order in which the kernel's file explains them
 */
export function attentionKernelName(
  kernel: string,
  storage: Storage,
  tile: readonly number[] = [],
  { bias = storage, output = storage, variants = [] }: NameDetails = {},
): string {
  return kernelName({
    operation: "attention",
    kernel,
    dtype: storage,
    tile,
    variants: [
      bias !== storage && `bias-${bias}`,
      output !== storage && `to-${output}`,
      ...variants,
    ],
  });
}
