import type { ParamsLayout } from "./params.js";

/** Element types that buffers can have in WGSL; `f16` needs the feature shader-f16. */
export type Storage = "f32" | "f16";

/** Bytes of an element. */
export function storageBytes(storage: Storage): number {
  return storage === "f16" ? 2 : 4;
}

/** Name of the binding of a call's small data, which lies in the recorder's own buffer. */
export const rulesBinding = "rules";

/** A storage buffer of a kernel. */
export interface Binding {
  /** Name in WGSL; `rules` is bound to the call's small data, see `Recorder`. */
  readonly name: string;
  /** The WGSL type of the elements. */
  readonly element: string;
  readonly access: "read" | "read_write";
}

/** A compute shader, ready to be compiled: entry point `main`, params at binding 0. */
export interface Kernel {
  /** Identifies the text: kernels with equal names have equal code. See `kernelName`. */
  readonly name: string;
  readonly code: string;
  readonly params: ParamsLayout;
  /** Storage buffers, at bindings from 1. */
  readonly bindings: readonly Binding[];
}
