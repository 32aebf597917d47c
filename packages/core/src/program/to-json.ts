import type { ProgramForm, ProgramKind } from "./form.js";
import type { Scalar } from "./sources.js";
import type { ProgramType } from "./types.js";

/** A number in JSON, which has no infinities. */
export type JsonNumber = number | "Infinity" | "-Infinity" | "NaN" | "-0";

/** A node of a program in JSON; `args` are indices of earlier nodes. */
export interface ProgramNodeJson {
  readonly op: string;
  readonly type: ProgramType;
  readonly args?: readonly number[];
  readonly value?: JsonNumber;
  readonly name?: string;
  readonly slot?: number;
}

/** A program in JSON: everything but the contents of its tables. */
export interface ProgramJson {
  readonly format: "heed-program-1";
  readonly kind: ProgramKind;
  readonly nodes: readonly ProgramNodeJson[];
  readonly tables: readonly { readonly dtype: ProgramType; readonly rank: number }[];
  /** With the values that they had when the program was written. */
  readonly scalars: readonly {
    readonly dtype: ProgramType;
    readonly value: JsonNumber | boolean;
  }[];
}

/** A form as JSON, with the present values of its scalars. */
export function formToJson(form: ProgramForm, scalars: readonly Scalar[]): ProgramJson {
  return {
    format: "heed-program-1",
    kind: form.kind,
    nodes: form.nodes.map(({ args, ...node }) => ({
      ...node,
      ...(node.op === "constant" && { value: numberToJson(node.value) }),
      ...(args.length > 0 && { args }),
    })) as readonly ProgramNodeJson[],
    tables: form.tables,
    scalars: scalars.map(({ type, value }) => ({
      dtype: type,
      value: typeof value === "number" ? numberToJson(value) : value,
    })),
  };
}

function numberToJson(value: number): JsonNumber {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : (String(value) as JsonNumber);
}
