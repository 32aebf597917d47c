// The text of src/generated/modules.ts.
import { encodeDelta } from "./delta.js";

/** Offset of the imported memory's limits flags: the byte that says whether the memory is shared. */
export function memoryFlagsAt(bytes) {
  let at = 8;
  const read = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const section = read();
    const size = read();
    const importSection = 2;
    if (section !== importSection) {
      at += size;
      continue;
    }
    if (read() !== 1) throw new Error("expected one import, the memory");
    for (const _ of ["module", "name"]) {
      const length = read();
      at += length;
    }
    const memory = 2;
    if (read() !== memory) throw new Error("the import is not a memory");
    if (bytes[at] !== 0x01) throw new Error("expected limits with a maximum, not shared");
    return at;
  }
  throw new Error("no imports");
}

const quoted = (bytes) => `"${bytes.toString("base64")}"`;

/**
 * @param {{ baseline: Buffer, relaxed: Buffer }} modules the builds
 * @returns {{ text: string, deltaLength: number }} the source, and the bytes that the relaxed build takes in it
 */
export function modulesText({ baseline, relaxed }) {
  const delta = encodeDelta(baseline, relaxed);
  const text = `// Written by build/compile.js from assembly/. Do not edit.

/** The module with baseline SIMD, in base64. */
export const baseline: string =
  ${quoted(baseline)};

/** The difference to the module with relaxed SIMD (see src/delta.ts), in base64. */
export const relaxedDelta: string =
  ${quoted(delta)};

/** Bytes of the module with relaxed SIMD. */
export const relaxedLength = ${relaxed.length};

/** The byte of each module that says that its memory is not shared. */
export const memoryFlagsAt: { readonly baseline: number; readonly relaxed: number } = {
  baseline: ${memoryFlagsAt(baseline)},
  relaxed: ${memoryFlagsAt(relaxed)},
};
`;
  return { text, deltaLength: delta.length };
}
