import type { SimdBuild } from "./module.js";

/** Parts of a kernel's name. */
export interface KernelName {
  readonly operation: string;
  readonly kernel: string;
  /** Element type of the inputs. */
  readonly dtype: "float32" | "float16" | "float64";
  /** Element type of keys and values, if it is another. */
  readonly stored?: string | undefined;
  /** Sizes of a tile, e.g. rows × keys. */
  readonly tile?: readonly number[];
  /** The instructions that it is compiled for; null if a module was given, whose instructions are unknown. */
  readonly build: SimdBuild | null;
}

/**
 * Name of a kernel: `<operation>-<kernel>-<dtype>[-<stored>kv][-<tile>][-<instructions>]`, as on every backend, e.g.
 * `attention-tiled-f32-128x360-relaxed`.
 */
export function kernelName({ operation, kernel, dtype, stored, tile, build }: KernelName): string {
  const keys = stored && `${stored.replace("float", "f").replace("int", "i")}kv`;
  const parts = [operation, kernel, dtype.replace("float", "f"), keys, tile?.join("x"), build];
  return parts.filter((part) => part !== undefined && part !== null).join("-");
}
