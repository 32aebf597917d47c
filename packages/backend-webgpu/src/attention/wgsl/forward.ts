import type { Binding, Storage } from "../../wgsl/kernel.js";
import {
  besideBindings,
  boundElement,
  joinsBias,
  plainReads,
  programBindings,
  type Reads,
} from "./reads.js";

/**
 * The bindings of every kernel that computes outputs: eight storage buffers, what every device has, and
 * up to ten where keys and values have scales.
 */
export function forwardBindings(elements: {
  readonly query: string;
  /** Element type of keys and values; left out: as they are read. */
  readonly key?: string;
  readonly bias: Storage;
  readonly output: Storage;
  readonly reads?: Reads;
}): readonly Binding[] {
  const { bias, output, reads = plainReads("f32"), key = boundElement(reads) } = elements;
  return [
    { name: "rules", element: "vec4<i32>", access: "read" },
    { name: "query", element: elements.query, access: "read" },
    { name: "key", element: key, access: "read" },
    { name: "value", element: key, access: "read" },
    ...besideBindings(reads, ["key", "value"]),
    ...(reads.mask && !reads.joined
      ? [{ name: "mask", element: "u32", access: "read" } as const]
      : []),
    ...(reads.bias && !joinsBias(reads)
      ? [{ name: "bias", element: bias, access: "read" } as const]
      : []),
    ...programBindings(reads),
    { name: "output", element: output, access: "read_write" },
    { name: "statistics", element: "u32", access: "read_write" },
  ];
}
