import type { KernelName } from "../kernel-names.js";
import type { KeyElement, Reads } from "./reads.js";

/**
 * Whether a sum of values may leave float32's range before it is divided by the sum of their weights, which are up to 1.
 * Sums of float16 numbers cannot: 65,504 times any number of keys is far from 3.4·10³⁸.
 */
function sumsOverflow(element: KeyElement): boolean {
  return element === "f32" || element === "i8";
}

/** Exponent of a power of 2 that the weights of a row do not exceed before they are divided. */
function weightExponent(kernel: KernelName): number {
  // The weights of `registersKernel` may grow to e^8.
  return kernel === "quad" || kernel === "stream" ? 12 : 0;
}

/**
 * The parameter `weightFactor`: a power of 2 with which all weights of a row add up to no more than 1, so that no sum of
 * weighted values is larger than the largest value. A power of 2 changes no bits of products and sums, but of those
 * that are flushed to 0: weights of 2^(log2(keys) − 126) of the largest and less.
 *
 * @param element of values
 */
export function weightFactor(
  keyLength: number,
  { kernel, keys: element }: { readonly kernel: KernelName; readonly keys: KeyElement },
): number {
  if (!sumsOverflow(element)) return 1;
  return 2 ** -(Math.ceil(Math.log2(Math.max(1, keyLength))) + weightExponent(kernel));
}

/** A weight, or four, as it multiplies values. */
export function timesWeightFactor(weight: string, { element }: Pick<Reads, "element">): string {
  return sumsOverflow(element) ? `${weight} * params.weightFactor` : weight;
}
