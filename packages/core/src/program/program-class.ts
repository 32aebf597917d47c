import type { Expression } from "./expression.js";
import type { BuiltForm, ProgramForm, ProgramKind } from "./form.js";
import { printProgram } from "./print.js";
import type { Scalar, Table } from "./sources.js";
import { formToJson, type ProgramJson } from "./to-json.js";

/**
 * A program on the scores of a call: an expression of the positions of a query and a key, their head
 * and batch. It is immutable; the contents of its tables and the values of its scalars are not part of it.
 */
export class Program<K extends ProgramKind = ProgramKind> {
  readonly #expression: Expression;
  /** The canonical form: plain data, the same object for equal programs. */
  readonly form: ProgramForm<K>;
  /** The tables that the form's slots stand for. */
  readonly tables: readonly Table[];
  /** The scalars that the form's slots stand for. */
  readonly scalars: readonly Scalar[];

  /** @internal Use `maskMod` and `scoreMod`. */
  constructor(expression: Expression, { form, tables, scalars }: BuiltForm<K>) {
    this.#expression = expression;
    this.form = form;
    this.tables = Object.freeze(tables);
    this.scalars = Object.freeze(scalars);
    Object.freeze(this);
  }

  get kind(): K {
    return this.form.kind;
  }

  /** The program's expression, to build others with: bool of a mask, float32 of a score. */
  get expression(): Expression<K extends "mask" ? "bool" : "float32"> {
    return this.#expression as Expression<K extends "mask" ? "bool" : "float32">;
  }

  /** Identifies the program up to the contents of tables and scalars. */
  get key(): string {
    return this.form.key;
  }

  /** Everything but the contents of tables; `programFromJSON` reads it. */
  toJSON(): ProgramJson {
    return formToJson(this.form, this.scalars);
  }

  /** The program in Python's notation. */
  toString(): string {
    return printProgram(this.form);
  }

  static is(value: unknown): value is Program {
    return typeof value === "object" && value !== null && #expression in value;
  }
}

/** A program that says which keys a query sees. */
export type MaskProgram = Program<"mask">;
/** A program that gives each score a new value. */
export type ScoreProgram = Program<"score">;

/** Whether a value is a program of this copy of the module. Never throws. */
export function isProgram<K extends ProgramKind>(value: unknown, kind: K): value is Program<K> {
  return Program.is(value) && value.kind === kind;
}
