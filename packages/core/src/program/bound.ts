import { describeValue, InvalidInputError } from "../errors.js";
import type { ProgramForm, ProgramKind } from "./form.js";
import { Program } from "./program-class.js";
import { Scalar, type TableData, tableData } from "./sources.js";

/** A program with the data of one call. */
export interface BoundProgram<K extends ProgramKind = ProgramKind> {
  readonly form: ProgramForm<K>;
  /** The tables' elements, of each slot; not copied if they are row-major. */
  readonly tables: readonly TableData[];
  /** The scalars' values when the call was made, of each slot; a bool is 0 or 1. */
  readonly scalars: readonly number[];
}

/**
 * Reads a program's data: the values of scalars are copied, tables are checked and not copied.
 *
 * @throws InvalidInputError for a table whose memory is gone
 */
export function bindProgram<K extends ProgramKind>(program: Program<K>): BoundProgram<K> {
  if (!Program.is(program)) {
    throw new InvalidInputError("program", "a program", describeValue(program));
  }
  return {
    form: program.form,
    tables: program.tables.map(tableData),
    scalars: program.scalars.map(({ value }) => Number(value)),
  };
}

/** The program of a bound one: its scalars are new and have the values that were bound. */
export function unboundProgram<K extends ProgramKind>(
  program: Program<K>,
  { scalars }: BoundProgram<K>,
): Program<K> {
  if (scalars.length === 0) return program;
  const { expression, form, tables } = program;
  const kept = program.scalars.map(
    ({ type }, slot) => new Scalar(type, { value: scalars[slot] as number }),
  );
  return new Program(expression, { form, tables, scalars: kept });
}
