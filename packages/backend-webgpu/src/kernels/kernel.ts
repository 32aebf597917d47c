/** Element types that buffers can have in WGSL; `f16` needs the feature shader-f16. */
export type Storage = "f32" | "f16";

/** Of an element. */
export function storageBytes(storage: Storage): number {
  return storage === "f16" ? 2 : 4;
}

/** What a kernel reads or writes, in the order of its bindings after the params. */
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
  /** Identifies the text: equal names have equal code. */
  readonly name: string;
  readonly code: string;
  readonly bindings: readonly Binding[];
}

/** The declarations of a kernel's storage buffers. */
export function declareBindings(bindings: readonly Binding[]): string {
  return bindings
    .map(
      ({ name, element, access }, i) =>
        `@group(0) @binding(${i + 1}) var<storage, ${access}> ${name}: array<${element}>;`,
    )
    .join("\n");
}

/** `enable` directives, which come first in a shader. */
export function enableFeatures(features: readonly (string | false)[]): string {
  return features
    .filter((feature) => feature !== false)
    .map((feature) => `enable ${feature};\n`)
    .join("");
}

/** One copy of some text for each number from 0, for unrolled loops. */
export function repeat(count: number, text: (i: number) => string, separator = "\n"): string {
  return Array.from({ length: count }, (_, i) => text(i)).join(separator);
}
