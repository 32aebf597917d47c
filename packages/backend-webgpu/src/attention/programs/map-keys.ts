import type { KernelName } from "../kernel-names.js";
import { decodeThreads } from "../kernels/decode.js";
import { matrixStep } from "../kernels/matrix-sizes.js";
import { registersMapKeys } from "../kernels/registers.js";
import { type Lanes, tileKeys } from "../wgsl/products.js";

/** Keys of a tile of the map for a kernel: those of its own tiles. */
export function mapKeys(choice: {
  readonly kernel: KernelName;
  readonly tile?: { readonly lanes: Lanes };
}): number {
  switch (choice.kernel) {
    case "tile":
      return tileKeys(choice.tile?.lanes ?? 8);
    case "decode":
      return decodeThreads;
    case "subgroup-matrix":
      return matrixStep;
    default:
      return registersMapKeys;
  }
}
