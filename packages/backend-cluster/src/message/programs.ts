import { type HostTensor, InvalidInputError } from "@heed/core";
import {
  type MaskProgram,
  type ProgramJson,
  programFromJSON,
  programLimits,
  type ScoreProgram,
} from "@heed/core/program";
import { MalformedMessageError } from "./errors.js";
import type { MessageReader } from "./reader.js";
import type { MessageWriter } from "./writer.js";

/** A program of a call as it is sent: JSON, and the tables that it looks values up in. */
export interface SentProgram {
  readonly json: string;
  readonly tables: readonly HostTensor[];
}

const utf8 = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * A program of a call for a part of its keys. The index of a key in the part is another one than in the call, so the program
 * reads the key's position instead, which parts have as data.
 */
export function programOfPart(program: MaskProgram | ScoreProgram): SentProgram {
  const json = program.toJSON();
  const nodes = json.nodes.map((node) => (isIndex(node) ? { ...node, name: "key" } : node));
  return sent({ ...json, nodes }, program);
}

/**
 * The same where positions of keys are the call's own, and no indices: the program looks the index of a key in the call up in
 * a table, by its index in the part.
 *
 * @param indices int32, for each key of the part its index in the call
 */
export function programWithIndices(
  program: MaskProgram | ScoreProgram,
  indices: HostTensor,
): SentProgram {
  const json = program.toJSON();
  const slot = json.tables.length;
  // The index in the part comes first: all others are one further back.
  const nodes: ProgramNode[] = [{ op: "variable", type: "int32", name: "keyIndex" }];
  for (const node of json.nodes) {
    if (isIndex(node)) nodes.push({ op: "table", type: "int32", slot, args: [0] });
    else nodes.push({ ...node, ...(node.args && { args: node.args.map((arg) => arg + 1) }) });
  }
  const tables = [...json.tables, { dtype: "int32" as const, rank: 1 }];
  const { json: text, tables: own } = sent({ ...json, nodes, tables }, program);
  return { json: text, tables: [...own, indices] };
}

type ProgramNode = ProgramJson["nodes"][number];

function isIndex({ op, name }: ProgramNode): boolean {
  return op === "variable" && name === "keyIndex";
}

function sent(json: ProgramJson, { tables }: MaskProgram | ScoreProgram): SentProgram {
  return { json: JSON.stringify(json), tables: tables.map(({ tensor }) => tensor) };
}

export function writeProgram(to: MessageWriter, program: SentProgram | null): void {
  to.u8(program === null ? 0 : 1);
  if (program === null) return;
  to.bytes(utf8.encode(program.json)).u8(program.tables.length);
  for (const table of program.tables) to.tensor(table);
}

export function readProgram(from: MessageReader): SentProgram | null {
  if (!from.flag()) return null;
  const json = text(from.bytes());
  const count = from.u8();
  if (count > programLimits.sources)
    throw new MalformedMessageError(`${count} tables of a program`);
  const tables: HostTensor[] = [];
  for (let slot = 0; slot < count; slot++) {
    const table = from.tensor();
    if (table === null) throw new MalformedMessageError("a program lacks a table");
    tables.push(table);
  }
  return { json, tables };
}

/**
 * The program of a message, checked in full.
 *
 * @throws MalformedMessageError, InvalidInputError
 */
export function receivedProgram<K extends "mask" | "score">(
  { json, tables }: SentProgram,
  kind: K,
): K extends "mask" ? MaskProgram : ScoreProgram {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new MalformedMessageError("a program is no JSON", { cause });
  }
  const program = programFromJSON(value, { tables });
  if (program.kind === kind) return program as never;
  throw new InvalidInputError(`${kind}Mod`, `a program of kind ${kind}`, program.kind);
}

function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new MalformedMessageError("a program is no UTF-8", { cause });
  }
}
