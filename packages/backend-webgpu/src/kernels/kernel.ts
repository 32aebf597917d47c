/** Element types that buffers can have in WGSL; `f16` needs the feature shader-f16. */
export type Storage = "f32" | "f16";

/** Bytes of an element. */
export function storageBytes(storage: Storage): number {
  return storage === "f16" ? 2 : 4;
}

/** Names of the storage buffers that kernels read and write. */
export type BindingName =
  | "rules"
  | "query"
  | "key"
  | "value"
  | "mask"
  | "bias"
  | "output"
  | "statistics"
  | "weights"
  | "scores"
  | "partials"
  | "partialStatistics"
  | "source"
  | "converted";

export interface Binding {
  readonly name: BindingName;
  /** The WGSL type of the elements. */
  readonly element: string;
  readonly access: "read" | "read_write";
}

/** A compute shader, ready to be compiled: entry point `main`, params at binding 0. */
export interface Kernel {
  /** Identifies the text: kernels with equal names have equal code. */
  readonly name: string;
  readonly code: string;
  /** Storage buffers, at bindings from 1. */
  readonly bindings: readonly Binding[];
}
