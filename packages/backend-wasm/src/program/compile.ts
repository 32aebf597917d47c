import { type AttentionProblem, headsPerGroup } from "@heed/core";
import * as P from "../shared/program.js";
import { lowerBlocks, lowerForm } from "./lower.js";
import type { ConstantSource, InstructionData, TableSource } from "./values.js";
import { type Value, Values } from "./values.js";

/** Words of a program's block that differ from call to call. */
export interface ProgramPatches {
  /** Constants: four words from `word` on. */
  readonly constants: readonly { readonly word: number; readonly source: ConstantSource }[];
  /** A last index and, in the word after it, a stride. */
  readonly axes: readonly {
    readonly word: number;
    readonly table: TableSource;
    readonly axis: number;
  }[];
  /** Addresses of tables. */
  readonly tables: readonly { readonly word: number; readonly table: TableSource }[];
}

/** The programs of a problem as the kernels run them: see src/shared/program.ts. */
export interface CompiledPrograms extends ProgramPatches {
  /** The block, without what calls fill in. */
  readonly words: Int32Array<ArrayBuffer>;
  /** Bytes of a thread's workspace for registers. */
  readonly registerBytes: number;
}

/** Sizes on which registers depend. */
export interface ProgramSizes {
  /** The most keys of a tile. */
  readonly tileKeys: number;
  /** The most rows of a unit. */
  readonly rows: number;
}

/** Pure: compiles mask program, block mask and score program of a problem that has any of them. */
export function compilePrograms(problem: AttentionProblem, sizes: ProgramSizes): CompiledPrograms {
  const { maskMod, scoreMod, blockMask } = problem;
  const values = new Values(headsPerGroup(problem));
  const roots = {
    mask: maskMod && lowerForm(values, maskMod),
    blocks: blockMask && lowerBlocks(values, blockMask),
    score: scoreMod && lowerForm(values, scoreMod),
  };
  return new Compiler(values.list, sizes).compile(roots);
}

interface Roots {
  readonly mask: number | null;
  readonly blocks: number | null;
  readonly score: number | null;
}

/** Registers are multiples of it, and 0 is none. */
const alignment = 16;
const wordsOfInstruction = P.instructionBytes / 4;

class Compiler {
  readonly #values: readonly Value[];
  readonly #sizes: ProgramSizes;
  readonly #words: number[] = new Array(P.headerBytes / 4).fill(0);
  /** Registers of values, and those with a vector a key. */
  readonly #registers = new Map<number, number>();
  readonly #spread = new Map<number, number>();
  /** Words of operands that name a constant, and of patches. */
  readonly #constantsAt: { readonly word: number; readonly value: number }[] = [];
  readonly #axes: ProgramPatches["axes"][number][] = [];
  readonly #tables: ProgramPatches["tables"][number][] = [];
  #end = alignment;

  constructor(values: readonly Value[], sizes: ProgramSizes) {
    this.#values = values;
    this.#sizes = sizes;
  }

  compile({ mask, blocks, score }: Roots): CompiledPrograms {
    const roots = [mask, blocks, score].filter((root) => root !== null);
    const used = this.#reachable(roots);
    if (mask !== null || blocks !== null) {
      this.#words[P.maskRegister / 4] = this.#allocate(32 * this.#sizes.tileKeys);
    }
    for (const value of used) this.#allocateValue(value);
    this.#emitList(P.unitList, used, "unit");
    this.#emitList(P.rowsList, used, "rows");
    this.#emitList(P.keysList, used, "keys");
    if (mask !== null) {
      this.#emitResult(P.maskList, mask, P.placeMask);
    }
    if (blocks !== null) this.#emitResult(P.blocksList, blocks, P.placeMask, true);
    if (score !== null) this.#emitResult(P.scoreList, score, P.placeScore);
    this.#list(P.spreadList, () => {
      for (const [value, to] of this.#spread) {
        this.#words.push(this.#registers.get(value) as number, to);
      }
    });
    const constants = this.#placeConstants();
    return {
      words: Int32Array.from(this.#words),
      constants,
      axes: this.#axes,
      tables: this.#tables,
      registerBytes: this.#end,
    };
  }

  /** The values that some roots need, in order. */
  #reachable(roots: readonly number[]): readonly number[] {
    const reached = new Set<number>();
    const visit = (value: number): void => {
      if (reached.has(value)) return;
      reached.add(value);
      for (const arg of argsOf(this.#values[value] as Value)) visit(arg);
    };
    for (const root of roots) visit(root);
    return [...reached].sort((a, b) => a - b);
  }

  #allocate(bytes: number): number {
    const at = this.#end;
    this.#end += Math.ceil(bytes / alignment) * alignment;
    return at;
  }

  /** Gives a value a register, unless it differs from score to score: these share registers. */
  #allocateValue(index: number): void {
    const value = this.#values[index] as Value;
    const { tileKeys, rows } = this.#sizes;
    const bytes = { constant: 0, unit: 16, rows: 4 * rows, keys: 4 * tileKeys, both: 0 };
    const size = bytes[value.extent];
    if (size === 0) return;
    const register = this.#allocate(size);
    this.#registers.set(index, register);
    if (value.kind !== "variable") return;
    const which = value.name === "head" && value.extent === "rows" ? "heads" : value.name;
    this.#words[variableRegisters[which as keyof typeof variableRegisters] / 4] = register;
  }

  /** Writes a list's bounds around what `emit` writes. */
  #list(list: number, emit: () => void): void {
    this.#words[list / 4] = 4 * this.#words.length;
    emit();
    this.#words[list / 4 + 1] = 4 * this.#words.length;
  }

  #emitList(list: number, used: readonly number[], extent: "unit" | "rows" | "keys"): void {
    const place = extent === "unit" ? P.placeUniform : P.placeList;
    this.#list(list, () => {
      for (const index of used) {
        const value = this.#values[index] as Value;
        if (value.kind !== "instruction" || value.extent !== extent) continue;
        const to = (this.#registers.get(index) as number) | place;
        this.#emit(value.code, to, value.args, value.data, (arg) => {
          const { extent: own } = this.#values[arg] as Value;
          return (this.#registers.get(arg) as number) | (own === extent ? place : P.placeUniform);
        });
      }
    });
  }

  /**
   * Writes a list for keys and rows. The last instruction leaves the result in its place; registers are used again when
   * nobody reads them any more.
   *
   * @param joins whether the result is joined to the mask that is there
   */
  #emitResult(list: number, root: number, place: number, joins = false): void {
    const isBoth = (index: number): boolean => (this.#values[index] as Value).extent === "both";
    const used = this.#reachable([root]).filter(isBoth);
    const lastUse = new Map<number, number>();
    for (const index of used) {
      for (const arg of argsOf(this.#values[index] as Value)) lastUse.set(arg, index);
    }
    const registers = new Map<number, number>();
    const free: number[] = this.#shared.slice();
    const operand = (arg: number): number => {
      const value = this.#values[arg] as Value;
      if (value.kind === "variable" && value.name === "score") return P.placeScore;
      if (value.extent === "both") return (registers.get(arg) as number) | P.placeList;
      if (value.extent === "rows") return (this.#registers.get(arg) as number) | P.placeRows;
      if (value.extent === "keys") return this.#spreadOf(arg) | P.placeKeys;
      return (this.#registers.get(arg) as number) | P.placeUniform;
    };
    this.#list(list, () => {
      for (const index of used) {
        const value = this.#values[index] as Value;
        if (value.kind !== "instruction") continue;
        const isResult = index === root && !joins;
        const register = isResult ? 0 : (free.pop() ?? this.#share());
        registers.set(index, register);
        const to = isResult ? place : register | P.placeList;
        this.#emit(value.code, to, value.args, value.data, operand);
        for (const arg of new Set(value.args)) {
          const old = registers.get(arg);
          if (old !== undefined && lastUse.get(arg) === index) free.push(old);
        }
      }
      const value = this.#values[root] as Value;
      if (joins) this.#emit(P.codeAnd, place, [root], null, operand, place);
      else if (value.kind !== "instruction" || value.extent !== "both") {
        // A score program that gives the score is nothing to do.
        if (operandIsScore(value)) return;
        this.#emit(P.codeOr, place, [root, root], null, operand);
      }
    });
  }

  /** Registers for keys and rows, which all lists use. */
  readonly #shared: number[] = [];

  #share(): number {
    const register = this.#allocate(16 * P.chunkKeys);
    this.#shared.push(register);
    return register;
  }

  /** The register of a value of keys with a vector a key. */
  #spreadOf(value: number): number {
    const known = this.#spread.get(value);
    if (known !== undefined) return known;
    const register = this.#allocate(16 * this.#sizes.tileKeys);
    this.#spread.set(value, register);
    return register;
  }

  /** @param joined a place that is the last operand */
  #emit(
    code: number,
    to: number,
    args: readonly number[],
    data: InstructionData | null,
    operand: (arg: number) => number,
    joined = 0,
  ): void {
    const start = this.#words.length;
    const words = this.#words;
    words.push(code, to);
    for (let slot = 0; slot < 3; slot++) {
      const arg = args[slot];
      if (arg === undefined) {
        words.push(slot === args.length ? joined : 0);
        continue;
      }
      const isConstant = (this.#values[arg] as Value).extent === "constant";
      if (isConstant) this.#constantsAt.push({ word: words.length, value: arg });
      words.push(isConstant ? 0 : operand(arg));
    }
    words.push(0, 0);
    const word = start + P.instructionData / 4;
    if (data === null) return;
    if ("axisOf" in data) this.#axes.push({ word, table: data.axisOf, axis: data.axis });
    else if ("elementsOf" in data) this.#tables.push({ word, table: data.elementsOf });
    else {
      words[word] = data.last;
      words[word + 1] = data.stride;
    }
    if (words.length - start !== wordsOfInstruction) throw new Error("an instruction's size");
  }

  #placeConstants(): ProgramPatches["constants"] {
    const words = this.#words;
    while ((4 * words.length) % alignment !== 0) words.push(0);
    const places = new Map<number, number>();
    const constants: ProgramPatches["constants"][number][] = [];
    for (const { word, value } of this.#constantsAt) {
      let at = places.get(value);
      if (at === undefined) {
        at = words.length;
        places.set(value, at);
        words.push(0, 0, 0, 0);
        const { source } = this.#values[value] as Value & { readonly kind: "constant" };
        constants.push({ word: at, source });
      }
      words[word] = (4 * at) | P.placeConstant;
    }
    return constants;
  }
}

const variableRegisters = {
  batch: P.batchRegister,
  head: P.headRegister,
  heads: P.headsRegister,
  query: P.queryRegister,
  queryIndex: P.queryIndexRegister,
  key: P.keyRegister,
  keyIndex: P.keyIndexRegister,
} as const;

function argsOf(value: Value): readonly number[] {
  return value.kind === "instruction" ? value.args : [];
}

function operandIsScore(value: Value): boolean {
  return value.kind === "variable" && value.name === "score";
}
