/** Types of the members of a uniform buffer. All take 4 bytes, so member n is at byte 4·n. */
type ParamType = "u32" | "i32" | "f32";

/** The parameters of a dispatch: declared once, and used to write the buffer and to declare it in WGSL. */
export interface ParamsLayout<Name extends string = string> {
  /** Bytes of the uniform buffer. */
  readonly bytes: number;
  /** The declaration, at binding 0. */
  readonly wgsl: string;
  /** Every parameter 0. */
  readonly zero: Readonly<Record<Name, number>>;
  /** Writes parameters at a byte offset; integers wrap to 32 bits. */
  write(view: DataView, at: number, values: Readonly<Record<Name, number>>): void;
}

export function paramsLayout<Name extends string>(
  fields: Readonly<Record<Name, ParamType>>,
): ParamsLayout<Name> {
  const names = Object.keys(fields) as Name[];
  return {
    // Uniform buffers hold multiples of 16 bytes.
    bytes: Math.ceil((names.length * 4) / 16) * 16,
    wgsl: `struct Params {
${names.map((name) => `  ${name}: ${fields[name]},`).join("\n")}
}
@group(0) @binding(0) var<uniform> params: Params;`,
    zero: Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>,
    write(view, at, values) {
      for (const [n, name] of names.entries()) {
        const value = values[name];
        if (fields[name] === "f32") view.setFloat32(at + 4 * n, value, true);
        else view.setInt32(at + 4 * n, value, true);
      }
    },
  };
}
