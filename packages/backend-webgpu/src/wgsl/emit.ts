import type { Binding, Kernel } from "./kernel.js";
import type { ParamsLayout } from "./params.js";

/** Declarations in WGSL that several kernels share. Equal texts are the same fragment. */
export interface Fragment {
  readonly wgsl: string;
  /** Fragments that this one uses the declarations of. */
  readonly needs?: readonly Fragment[];
}

/** Everything that a kernel's shader consists of. */
export interface KernelParts {
  readonly name: string;
  /** Extensions to enable; false: not needed. */
  readonly features?: readonly (string | false)[];
  /** Global directives after the enabled extensions. */
  readonly directives?: string;
  readonly params: ParamsLayout;
  readonly bindings: readonly Binding[];
  readonly fragments: readonly Fragment[];
  /** The kernel's own declarations and its entry point `main`. */
  readonly body: string;
}

/** Puts a shader together: each fragment once, after those that it needs. */
export function emitKernel(parts: KernelParts): Kernel {
  const { name, features = [], directives = "", params, bindings, fragments, body } = parts;
  const enables = features
    .filter((feature) => feature !== false)
    .map((feature) => `enable ${feature};\n`);
  const texts = new Set<string>();
  const add = ({ wgsl, needs = [] }: Fragment): void => {
    for (const fragment of needs) add(fragment);
    texts.add(wgsl);
  };
  for (const fragment of fragments) add(fragment);
  const code = `${enables.join("")}${directives}${params.wgsl}
${declareBindings(bindings)}
${[...texts].join("\n")}
${body}`;
  return { name, code, params, bindings };
}

/** The declarations of a kernel's storage buffers. */
function declareBindings(bindings: readonly Binding[]): string {
  return bindings
    .map(
      ({ name, element, access }, i) =>
        `@group(0) @binding(${i + 1}) var<storage, ${access}> ${name}: array<${element}>;`,
    )
    .join("\n");
}

/** One copy of some text for each number from 0, for unrolled loops. */
export function repeat(count: number, text: (i: number) => string, separator = "\n"): string {
  return Array.from({ length: count }, (_, i) => text(i)).join(separator);
}
