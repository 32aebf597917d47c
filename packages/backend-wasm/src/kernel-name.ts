import type { SimdBuild } from "./module.js";

/** Parts of a kernel's name. */
export interface KernelName {
  readonly operation: string;
  readonly kernel: string;
  /** Element type of the inputs. */
  readonly dtype: "float32" | "float16" | "float64";
  /** Sizes of a tile, e.g. rows × keys. */
  readonly tile?: readonly number[];
  /** The instructions that it is compiled for; null if a module was given, whose instructions are unknown. */
  readonly build: SimdBuild | null;
}

/**
 * Name of a kernel: `<operation>-<kernel>-<dtype>[-<tile>][-<instructions>]`, as on every backend, e.g.
 * `attention-tiled-f32-128x360-relaxed`.
 */
export function kernelName({ operation, kernel, dtype, tile, build }: KernelName): string {
  const parts = [operation, kernel, dtype.replace("float", "f"), tile?.join("x"), build];
  return parts.filter((part) => part !== undefined && part !== null).join("-");
}
