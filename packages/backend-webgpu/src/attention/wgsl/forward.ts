import type { Binding, Storage } from "../../wgsl/kernel.js";

/** The bindings of every kernel that computes outputs: eight storage buffers, what every device has. */
export function forwardBindings(elements: {
  readonly query: string;
  /** Element type of keys and values. */
  readonly key: string;
  readonly bias: Storage;
  readonly output: Storage;
}): readonly Binding[] {
  return [
    { name: "rules", element: "vec4<i32>", access: "read" },
    { name: "query", element: elements.query, access: "read" },
    { name: "key", element: elements.key, access: "read" },
    { name: "value", element: elements.key, access: "read" },
    { name: "mask", element: "u32", access: "read" },
    { name: "bias", element: elements.bias, access: "read" },
    { name: "output", element: elements.output, access: "read_write" },
    { name: "statistics", element: "u32", access: "read_write" },
  ];
}
