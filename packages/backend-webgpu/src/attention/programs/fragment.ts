import { dependence, type ProgramForm } from "@heed/core/program";
import type { Fragment } from "../../wgsl/emit.js";
import { elementFragments, elementNames } from "./elements.js";
import {
  type Analysis,
  analyse,
  ExpressionWriter,
  fourOf,
  rowBits,
  type Surroundings,
  typeOf,
  type Value,
} from "./expressions.js";
import { functionFragments } from "./functions.js";
import {
  hasMap,
  type KernelPrograms,
  programWords,
  tableCount,
  tableNumber,
} from "./kernel-programs.js";

/**
 * How a kernel's four pairs of a query row and a key at a time lie: four rows and one key, or one row
 * and four keys.
 */
export type Pairs = "rows" | "keys";

/** Values of rows that are kept beside them; more are computed for each key. */
const mostRowValues = 6;

type Kind = "mask" | "score";

/** A program in a kernel: which of its values are computed once for a batch entry, and once for a row. */
interface Part {
  readonly kind: Kind;
  readonly analysis: Analysis;
  readonly prefix: string;
  /** Nodes that are the same for all rows and keys, and that others need. */
  readonly ofBatch: readonly number[];
  /** Nodes that are the same for all keys of a row. */
  readonly ofRow: readonly number[];
}

const parts = new WeakMap<ProgramForm, Part>();

function partOf(form: ProgramForm): Part {
  let part = parts.get(form);
  if (part === undefined) {
    part = analysePart(form);
    parts.set(form, part);
  }
  return part;
}

function analysePart(form: ProgramForm): Part {
  const analysis = analyse(form);
  const { nodes } = form;
  const { dependences } = analysis;
  // Constants, scalars and variables are at hand everywhere.
  const computed = (n: number): boolean => (nodes[n]?.args.length ?? 0) > 0;
  const ofBatch = new Set<number>();
  const ofRow = new Set<number>();
  const last = nodes.length - 1;
  const keep = (n: number): void => {
    const bits = dependences[n] as number;
    if (!computed(n) || bits & (dependence.key | dependence.score)) return;
    (bits & rowBits ? ofRow : ofBatch).add(n);
  };
  keep(last);
  nodes.forEach((node, n) => {
    const bits = dependences[n] as number;
    for (const arg of node.args) {
      const own = dependences[arg] as number;
      if (bits & (dependence.key | dependence.score) || (bits & rowBits && !(own & rowBits)))
        keep(arg);
    }
  });
  return {
    kind: form.kind,
    analysis,
    prefix: form.kind === "mask" ? "m" : "s",
    ofBatch: [...ofBatch],
    ofRow: ofRow.size <= mostRowValues ? [...ofRow] : [],
  };
}

function partsOf({ mask, score }: KernelPrograms): Part[] {
  return [mask, score].flatMap((form) => (form === null ? [] : [partOf(form)]));
}

/** Values of rows, as members of `Rows`. */
export interface RowValue {
  readonly name: string;
  readonly type: string;
}

export function rowValues(programs: KernelPrograms | null | undefined): readonly RowValue[] {
  if (!programs) return [];
  return partsOf(programs).flatMap(({ prefix, ofRow, analysis }) =>
    ofRow.map((n) => ({
      name: `${prefix}${n}`,
      type: typeOf(analysis.form.nodes[n]?.type ?? "bool", true),
    })),
  );
}

/** Everything but variables. */
function surroundings(
  programs: KernelPrograms,
  part: Part,
  variable: (name: string) => Value,
  known: (node: number) => Value | undefined,
): Surroundings {
  const { kind, analysis } = part;
  const words = programWords(programs);
  const word = (at: number): string => `program_words${at >> 2}.${"xyzw"[at & 3]}`;
  return {
    variable,
    known,
    scalar(slot) {
      const own = word(words.scalar(kind, slot));
      const type = analysis.form.scalars[slot];
      return type === "float32" ? `bitcast<f32>(${own})` : type === "bool" ? `(${own} != 0)` : own;
    },
    special: (value) => `bitcast<f32>(${word(words.special(value))})`,
    element(slot, dtype, args) {
      const table = tableNumber(programs, kind, slot);
      const four = args.some((arg) => arg.four);
      const start = `bitcast<u32>(${word(words.tables + table)})`;
      let at = "";
      for (const [axis, arg] of args.entries()) {
        const size = `program_sizes${table}.${"xyzw"[axis]}`;
        const text = four ? fourOf(arg, "int32") : arg.text;
        const zero = four ? "vec4<i32>()" : "0";
        const last = four ? `vec4<i32>(${size} - 1)` : `${size} - 1`;
        const clamped = `clamp(${text}, ${zero}, ${last})`;
        at = at === "" ? clamped : `(${at}) * ${size} + ${clamped}`;
      }
      const place = `${four ? "vec4<u32>" : "u32"}(${at})`;
      return { text: `${elementNames[dtype]}${four ? "4" : ""}(${start}, ${place})`, four };
    },
  };
}

const indented = (statements: readonly string[]): string =>
  statements.map((statement) => `  ${statement}\n`).join("");

const batchName = (prefix: string, node: number): string => `batch_${prefix}${node}`;

/**
 * Declarations for programs: their words and what is the same for a batch entry, in private memory,
 * and `start_programs`, which fills it and which a kernel calls before anything else.
 */
export function programStateFragment(programs: KernelPrograms): Fragment {
  const { count } = programWords(programs);
  const vectors = Math.ceil(count / 4);
  const tables = tableCount(programs);
  const declared: string[] = [
    "/** The batch entry, or the sequence of a ragged batch; and the position of its first query. */",
    "var<private> program_batch: i32;",
    "var<private> program_offset: i32;",
  ];
  if (hasMap(programs)) {
    declared.push(
      "/** Whether some of the present keys may be hidden by the mask program or by blocks. */",
      "var<private> program_hides: bool = true;",
    );
  }
  const started: string[] = ["program_batch = i32(batch);", "program_offset = offset;"];
  for (let v = 0; v < vectors; v++) {
    declared.push(`var<private> program_words${v}: vec4<i32>;`);
    started.push(`program_words${v} = rules[params.programs + ${v}u];`);
  }
  for (let t = 0; t < tables; t++) {
    declared.push(`var<private> program_sizes${t}: vec4<i32>;`);
    started.push(`program_sizes${t} = rules[params.programs + ${vectors + t}u];`);
  }
  for (const part of partsOf(programs)) {
    const { prefix, ofBatch, analysis } = part;
    const variable = (): Value => ({ text: "program_batch", four: false });
    const place = surroundings(programs, part, variable, () => undefined);
    const writer = new ExpressionWriter(analysis, place, prefix);
    for (const n of ofBatch) {
      declared.push(
        `var<private> ${batchName(prefix, n)}: ${typeOf(analysis.form.nodes[n]?.type ?? "bool", false)};`,
      );
      const { text } = writer.value(n);
      writer.statements.push(`${batchName(prefix, n)} = ${text};`);
    }
    started.push(...writer.statements);
  }
  const wgsl = `${declared.join("\n")}
fn start_programs(batch: u32, offset: i32) {
${indented(started)}}`;
  return { wgsl, needs: [...functionFragments(wgsl), ...elementFragments(wgsl)] };
}

const ofBatch =
  ({ prefix, ofBatch }: Part) =>
  (n: number): Value | undefined =>
    ofBatch.includes(n) ? { text: batchName(prefix, n), four: false } : undefined;

/** The struct of rows' values and the function that computes them; nothing where there are none. */
export function rowValuesFragment(programs: KernelPrograms | null | undefined): Fragment | null {
  const values = rowValues(programs);
  if (!programs || values.length === 0) return null;
  const texts: Readonly<Record<string, string>> = {
    head: "vec4<i32>(head)",
    query: "query",
    queryIndex: "query_index",
  };
  const statements: string[] = [];
  const names: string[] = [];
  for (const part of partsOf(programs)) {
    const variable = (name: string): Value =>
      name === "batch"
        ? { text: "program_batch", four: false }
        : { text: texts[name] as string, four: true };
    const place = surroundings(programs, part, variable, ofBatch(part));
    const writer = new ExpressionWriter(part.analysis, place, part.prefix);
    for (const n of part.ofRow) {
      names.push(fourOf(writer.value(n), part.analysis.form.nodes[n]?.type ?? "bool"));
    }
    statements.push(...writer.statements);
  }
  const wgsl = `/** What programs compute once for a row. */
struct RowValues {
${values.map(({ name, type }) => `  ${name}: ${type},\n`).join("")}}
fn row_values(query: vec4<i32>, query_index: vec4<i32>, head: vec4<u32>) -> RowValues {
${indented(statements)}  return RowValues(${names.join(", ")});
}
fn choose_values(low: RowValues, high: RowValues, upper: bool) -> RowValues {
  return RowValues(${values.map(({ name }) => `select(low.${name}, high.${name}, upper)`).join(", ")});
}
/** Values of the first of the four rows. */
fn first_values(values: RowValues) -> RowValues {
  return RowValues(${values.map(({ name, type }) => `${type}(values.${name}.x)`).join(", ")});
}`;
  return {
    wgsl,
    needs: [programStateFragment(programs), ...functionFragments(wgsl), ...elementFragments(wgsl)],
  };
}

/** Functions of the rows and keys of a kernel's step: `program_mask` and `program_score`. */
export function pairFragment(programs: KernelPrograms, gathered: boolean, pairs: Pairs): Fragment {
  const text = partsOf(programs)
    .map((part) => pairText(programs, part, gathered, pairs))
    .join("\n");
  const wgsl = `${text}${programs.blocks ? `\n${blocksText(gathered)}` : ""}`;
  const values = rowValuesFragment(programs);
  return {
    wgsl,
    needs: [
      programStateFragment(programs),
      ...(values ? [values] : []),
      ...functionFragments(wgsl),
      ...elementFragments(wgsl),
    ],
  };
}

/** Position and index of a query within its sequence, from `Rows`. */
export function queryTexts(gathered: boolean): {
  readonly position: string;
  readonly index: string;
} {
  return gathered
    ? {
        position: "rows.position + vec4<i32>(program_offset)",
        index: "vec4<i32>(rows.index - vec4<u32>(batch.first_query))",
      }
    : {
        position: "vec4<i32>(rows.index) + vec4<i32>(program_offset)",
        index: "vec4<i32>(rows.index)",
      };
}

function pairText(programs: KernelPrograms, part: Part, gathered: boolean, pairs: Pairs): string {
  const { kind, prefix, analysis, ofRow } = part;
  const keys = pairs === "keys";
  const row = (text: string): Value =>
    keys ? { text: `(${text}).x`, four: false } : { text: `(${text})`, four: true };
  const { position, index } = queryTexts(gathered);
  const keyIndex: Value = keys
    ? { text: "vec4<i32>(key)", four: true }
    : { text: "i32(key.x)", four: false };
  const variable = (name: string): Value => {
    switch (name) {
      case "batch":
        return { text: "program_batch", four: false };
      case "head":
        return row("vec4<i32>(rows.head)");
      case "query":
        return row(position);
      case "queryIndex":
        return row(index);
      case "key":
        if (!gathered) return keyIndex;
        return keys
          ? { text: "key_positions(batch, key)", four: true }
          : { text: "key_position(batch, key.x)", four: false };
      case "keyIndex":
        return keyIndex;
      default:
        return { text: "score", four: true };
    }
  };
  const batch = ofBatch(part);
  const known = (n: number): Value | undefined =>
    batch(n) ?? (ofRow.includes(n) ? row(`rows.values.${prefix}${n}`) : undefined);
  const writer = new ExpressionWriter(
    analysis,
    surroundings(programs, part, variable, known),
    prefix,
  );
  const last = analysis.form.nodes.length - 1;
  const result = writer.value(last);
  if (kind === "mask") {
    return `fn program_mask(batch: Batch, rows: Rows, key: vec4<u32>) -> vec4<bool> {
${indented(writer.statements)}  return ${fourOf(result, "bool")};
}`;
  }
  const infinite = writer.minusInfinity(last);
  const told = infinite ? ` | ${fourOf(infinite, "bool")}` : "";
  return `struct ProgramScore {
  s: vec4<f32>,
  /** −∞, which hides the key: by bits, and by where it comes from, since WGSL may assume that there is none. */
  infinite: vec4<bool>,
}
fn program_score(batch: Batch, rows: Rows, key: vec4<u32>, score: vec4<f32>) -> ProgramScore {
${indented(writer.statements)}  let result = ${fourOf(result, "float32")};
  let infinite = (bitcast<vec4<u32>>(result) == vec4<u32>(0xff800000u))${told};
  return ProgramScore(result, infinite);
}`;
}

/** Positions of keys, where they may be data. */
export const keyPositionsFragment: Fragment = {
  wgsl: `fn key_position(batch: Batch, j: u32) -> i32 {
  if ((params.flags & flag_positions) == 0u) {
    return i32(j);
  }
  return integer(batch.key_positions + j);
}
fn key_positions(batch: Batch, j: vec4<u32>) -> vec4<i32> {
  return vec4<i32>(key_position(batch, j.x), key_position(batch, j.y), key_position(batch, j.z), key_position(batch, j.w));
}`,
};

function blocksText(gathered: boolean): string {
  const { index } = queryTexts(gathered);
  return `/** Whether the blocks of pairs are to be looked at and not empty. */
fn program_blocks(batch: Batch, rows: Rows, key: vec4<u32>) -> vec4<bool> {
  let row = vec4<u32>(params.blocks + u32(program_batch) * params.blocksBatch) + rows.head * params.blocksHead
    + vec4<u32>(${index}) / params.blockQueries * params.blocksRow;
  let column = key / params.blockKeys;
  let at = row + (column >> vec4<u32>(5u));
  let words = vec4<u32>(programs[at.x], programs[at.y], programs[at.z], programs[at.w]);
  return ((words >> (column & vec4<u32>(31u))) & vec4<u32>(1u)) != vec4<u32>();
}`;
}
