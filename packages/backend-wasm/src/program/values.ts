import type { ProgramType, VariableName } from "@heed/core/program";
import * as P from "../shared/program.js";

/** How often a value is computed: never, once a unit of work, for each row, for each key, or for each of both. */
export type Extent = "constant" | "unit" | "rows" | "keys" | "both";

/** Programs of a call, each with tables and constants of its own. */
export type ProgramName = "maskMod" | "scoreMod";

/** A number that is known before a call's kernels run: bits, or the value of a node. */
export type ConstantSource =
  | { readonly bits: number }
  | { readonly program: ProgramName; readonly node: number; readonly type: ProgramType };

/** A table of a call. */
export type TableSource = { readonly program: ProgramName; readonly slot: number } | "blocks";

/** Data that an instruction has beside its operands. */
export type InstructionData =
  /** Last index of an axis, and elements from one to the next. */
  | { readonly last: number; readonly stride: number }
  /** The same of a table, whose shape is data of the call. */
  | { readonly axisOf: TableSource; readonly axis: number }
  /** The address of a table. */
  | { readonly elementsOf: TableSource };

/** A value of the programs of a call. */
export type Value = { readonly extent: Extent } & (
  | { readonly kind: "constant"; readonly source: ConstantSource }
  | { readonly kind: "variable"; readonly name: VariableName }
  | {
      readonly kind: "instruction";
      /** One of the codes of src/shared/program.ts. */
      readonly code: number;
      /** Up to three earlier values. */
      readonly args: readonly number[];
      readonly data: InstructionData | null;
    }
);

/** The values of a call's programs. Equal ones are one; operands come first. */
export class Values {
  readonly list: Value[] = [];
  readonly #known = new Map<string, number>();
  /** Whether all rows of a unit have one head. */
  readonly #oneHead: boolean;

  /** @param group query heads of a key head */
  constructor(group: number) {
    this.#oneHead = group === 1;
  }

  bits(bits: number): number {
    return this.#put(`bits ${bits}`, { extent: "constant", kind: "constant", source: { bits } });
  }

  node(program: ProgramName, node: number, type: ProgramType): number {
    const source = { program, node, type };
    return this.#put(`${program} ${node}`, { extent: "constant", kind: "constant", source });
  }

  variable(name: VariableName): number {
    return this.#put(name, { extent: this.#extentOf(name), kind: "variable", name });
  }

  instruction(code: number, args: readonly number[], data: InstructionData | null = null): number {
    const extent = args.reduce<Extent>(
      (all, arg) => together(all, (this.list[arg] as Value).extent),
      "constant",
    );
    const text = `${code}(${args.join(",")})${data ? JSON.stringify(data) : ""}`;
    return this.#put(text, {
      // Once a unit is as good as once a call.
      extent: extent === "constant" ? "unit" : extent,
      kind: "instruction",
      code,
      args,
      data,
    });
  }

  /**
   * The element of a table at some indices, each of which is clamped to its axis. What indices of one extent add to the
   * offset is added up first, so that it is computed as seldom as possible.
   *
   * @param axes data of the axes, one for each index
   */
  lookUp(
    table: TableSource,
    isBool: boolean,
    indices: readonly number[],
    axes: readonly InstructionData[],
  ): number {
    const offsets = new Map<Extent, number>();
    for (const [axis, index] of indices.entries()) {
      const { extent } = this.list[index] as Value;
      const before = offsets.get(extent) ?? this.bits(0);
      offsets.set(extent, this.instruction(P.codeIndex, [index, before], axes[axis] ?? null));
    }
    const parts = order.flatMap((extent) => offsets.get(extent) ?? []);
    const offset = parts.reduce((sum, part) => this.instruction(P.codeAdd, [sum, part]));
    const code = isBool ? P.codeLookUpBool : P.codeLookUp;
    return this.instruction(code, [offset], { elementsOf: table });
  }

  #put(text: string, value: Value): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const index = this.list.push(value) - 1;
    this.#known.set(text, index);
    return index;
  }

  #extentOf(name: VariableName): Extent {
    switch (name) {
      case "batch":
        return "unit";
      case "head":
        return this.#oneHead ? "unit" : "rows";
      case "query":
      case "queryIndex":
        return "rows";
      case "key":
      case "keyIndex":
        return "keys";
      case "score":
        return "both";
    }
  }
}

const order: readonly Extent[] = ["constant", "unit", "rows", "keys", "both"];

function together(a: Extent, b: Extent): Extent {
  if ((a === "rows" && b === "keys") || (a === "keys" && b === "rows")) return "both";
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}
