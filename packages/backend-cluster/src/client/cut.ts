import {
  type AttentionProblem,
  allocate,
  type BoundAttention,
  cast,
  contiguous,
  type HostTensor,
  tensor,
} from "@heed/core";
import {
  type MaskProgram,
  type ProgramForm,
  type ScoreProgram,
  variablesOf,
} from "@heed/core/program";
import type { CutCall } from "../message/attend.js";
import { programOfPart, programWithIndices, type SentProgram } from "../message/programs.js";
import type { Stripes } from "../stripes.js";
import { toHost } from "./host.js";

/** A call with everything in host memory that is cut to parts or sent with each of them. */
export interface WholeCall {
  readonly bound: BoundAttention;
  /** Whether causal is left out: every query of the call comes after every key. */
  readonly allVisible: boolean;
  readonly mask: HostTensor | null;
  readonly bias: HostTensor | null;
  /** For one part, by its indices. */
  readonly maskMod: ((indices: () => HostTensor) => SentProgram) | null;
  readonly scoreMod: ((indices: () => HostTensor) => SentProgram) | null;
  readonly pageTable: HostTensor | null;
  readonly queryPositions: HostTensor | null;
  readonly keyPositions: HostTensor | null;
}

/**
 * Copies what is sent with a call into host memory.
 *
 * @returns at once where there is nothing to wait for
 */
export function wholeCall(bound: BoundAttention): WholeCall | Promise<WholeCall> {
  const { problem } = bound;
  const { mask, bias, maskMod, scoreMod, pages, positions } = problem;
  const allVisible = seesEverything(bound);
  if (!mask && !bias && !maskMod && !scoreMod && !pages && positions !== "data") {
    return { ...bare, bound, allVisible };
  }
  return withInputs(bound, allVisible);
}

const bare = {
  mask: null,
  bias: null,
  maskMod: null,
  scoreMod: null,
  pageTable: null,
  queryPositions: null,
  keyPositions: null,
};

async function withInputs(bound: BoundAttention, allVisible: boolean): Promise<WholeCall> {
  const { mask, bias, maskMod, scoreMod, pageTable, queryPositions, keyPositions } = bound.inputs;
  const added = bias && (await toHost(bias));
  return {
    bound,
    allVisible,
    mask: mask ? await toHost(mask) : null,
    // A float16 query is computed as float32, and a bias has the query's type or float32.
    bias: added ? (added.dtype === "float16" ? cast(added, "float32") : added) : null,
    maskMod: maskMod ? forParts(maskMod, bound.problem) : null,
    scoreMod: scoreMod ? forParts(scoreMod, bound.problem) : null,
    pageTable: (pageTable as HostTensor | undefined) ?? null,
    queryPositions: (queryPositions as HostTensor | undefined) ?? null,
    keyPositions: (keyPositions as HostTensor | undefined) ?? null,
  };
}

/** Whether a program reads indices of keys beside positions that the call gives them. */
export function needsIndices({ keyPositions }: AttentionProblem, form: ProgramForm): boolean {
  return keyPositions !== null && variablesOf(form).has("keyIndex");
}

function forParts(
  program: MaskProgram | ScoreProgram,
  problem: AttentionProblem,
): (indices: () => HostTensor) => SentProgram {
  if (needsIndices(problem, program.form)) {
    return (indices) => programWithIndices(program, indices());
  }
  const same = programOfPart(program);
  return () => same;
}

/** Cuts a call to the keys of one part: its lengths, starts, masks, biases, block masks and positions. */
export function cutCall(call: WholeCall, stripes: Stripes, part: number): CutCall {
  const { bound, allVisible } = call;
  const { problem, alibiSlopes, queryStarts } = bound;
  const columns = new Columns(problem, stripes, part);
  const positions = allVisible ? none : cutPositions(call, stripes, part, columns);
  const blocks = bound.blockMask && cutBlocks(bound, bound.blockMask.blocks.mask, columns);
  const indices = (): HostTensor => columns.indices;
  const starts = bound.keyStarts;
  const keyStarts = starts?.map((start) => stripes.rowsBefore(part, start)) ?? null;
  return {
    keysByIndex: positions.keysByIndex,
    mask: call.mask && columns.of(call.mask),
    bias: call.bias && columns.of(call.bias),
    maskMod: call.maskMod?.(indices) ?? null,
    scoreMod: call.scoreMod?.(indices) ?? null,
    blockMask: blocks?.mask ?? null,
    queryBlock: problem.blockMask?.queryBlock ?? 0,
    keyBlock: blocks?.keyBlock ?? 0,
    kvLengths: problem.kvLengths ? cutLengths(bound, stripes, part) : null,
    queryStarts,
    keyStarts,
    pageTable: call.pageTable,
    queryPositions: positions.queryPositions,
    keyPositions: positions.keyPositions,
    alibiSlopes,
    // A sink belongs into exactly one part.
    sinks: part === 0 ? bound.sinks : null,
  };
}

const none = { keysByIndex: false, queryPositions: null, keyPositions: null };

/** Lengths of a call's sequences within a part. */
function cutLengths(bound: BoundAttention, stripes: Stripes, part: number): Int32Array {
  const { problem, kvLengths, keyStarts } = bound;
  const own = stripes.rowsOf(part);
  return kvLengths.map((length, s) => {
    if (problem.pages) {
      const { size } = problem.pages;
      return Math.floor(length / size) * own + stripes.rowsBefore(part, length % size);
    }
    const start = keyStarts?.[s] ?? 0;
    return stripes.rowsBefore(part, start + length) - stripes.rowsBefore(part, start);
  });
}

/** Whether causal hides nothing: the first query of each sequence comes after its last key. */
function seesEverything({ problem, offsets, kvLengths }: BoundAttention): boolean {
  const { causal, window, alibi, positions, maskMod, scoreMod } = problem;
  if (!causal || window || alibi || maskMod || scoreMod) return false;
  if (positions === "none" || positions === "data") return false;
  return kvLengths.every((length, s) => (offsets[s] as number) >= length - 1);
}

type Positions = Pick<CutCall, "keysByIndex" | "queryPositions" | "keyPositions">;

/** Positions of queries and of the part's keys, as data: the keys of a part are no neighbours. */
function cutPositions(
  { bound, queryPositions: ofQueries, keyPositions: given }: WholeCall,
  stripes: Stripes,
  part: number,
  columns: Columns,
): Positions {
  const { problem, keyStarts } = bound;
  // Without a rule that needs positions, programs may still read those of keys, which are their indices then.
  const unplaced = problem.positions === "none";
  if (unplaced && !readsKeys(problem)) return none;
  const queryPositions = unplaced ? null : (ofQueries ?? positionsOfQueries(bound));
  if (given) return { keysByIndex: false, queryPositions, keyPositions: columns.of(given) };
  if (keyStarts === null) return { keysByIndex: true, queryPositions, keyPositions: null };
  // In a ragged batch, positions count within a sequence.
  const own = stripes.indices(part);
  let sequence = 0;
  for (let i = 0; i < own.length; i++) {
    const row = own[i] as number;
    while (row >= (keyStarts[sequence + 1] ?? Number.POSITIVE_INFINITY)) sequence += 1;
    own[i] = row - (keyStarts[sequence] as number);
  }
  return { keysByIndex: false, queryPositions, keyPositions: tensor(own, [1, own.length]) };
}

/** Whether programs of a call read positions or indices of keys. */
export function readsKeys({ maskMod, scoreMod }: AttentionProblem): boolean {
  return [maskMod, scoreMod].some((form) => {
    if (form === null) return false;
    const used = variablesOf(form);
    return used.has("key") || used.has("keyIndex");
  });
}

/** A table of the positions that follow from offsets, `[batch, queryLength]`. */
function positionsOfQueries({ problem, offsets, queryStarts }: BoundAttention): HostTensor {
  const { batch, queryLength, positions, sequences } = problem;
  // Beside positions of keys, the position of a query is its index.
  const offset = (s: number): number => (positions === "data" ? 0 : (offsets[s] as number));
  const data = new Int32Array(batch * queryLength);
  for (let s = 0; s < sequences; s++) {
    const start = queryStarts?.[s] ?? s * queryLength;
    const end = queryStarts?.[s + 1] ?? start + queryLength;
    for (let row = start; row < end; row++) data[row] = row - start + offset(s);
  }
  return tensor(data, [batch, queryLength]);
}

/** The columns of a call's keys that belong to a part. */
class Columns {
  readonly #stripes: Stripes;
  readonly #part: number;
  /** Pages of a sequence, each of which has the part's rows; 1 without pages. */
  readonly #pages: number;
  readonly #length: number;

  constructor({ pages, keyLength }: AttentionProblem, stripes: Stripes, part: number) {
    this.#stripes = stripes;
    this.#part = part;
    this.#pages = pages?.perSequence ?? 1;
    this.#length = keyLength;
  }

  get stripes(): Stripes {
    return this.#stripes;
  }

  get part(): number {
    return this.#part;
  }

  /** Columns of the part. */
  get count(): number {
    return this.#pages * this.#stripes.rowsOf(this.#part);
  }

  /** Calls back with each run of neighbouring columns: first column of the call, first of the part, length. */
  forEachRun(visit: (column: number, own: number, length: number) => void): void {
    const rows = this.#stripes.rowsOf(this.#part);
    for (let page = 0; page < this.#pages; page++) {
      this.#stripes.forEachRun(this.#part, (row, own, length) => {
        visit(page * this.#stripes.length + row, page * rows + own, length);
      });
    }
  }

  /** The call's index of each column of the part, `[columns]`. */
  get indices(): HostTensor {
    const data = new Int32Array(this.count);
    this.forEachRun((column, own, length) => {
      for (let i = 0; i < length; i++) data[own + i] = column + i;
    });
    return tensor(data, [data.length]);
  }

  /** A tensor whose last axis is that of the keys, with the part's columns alone; 1 column is for all keys. */
  of(t: HostTensor): HostTensor {
    const columns = t.shape[t.shape.length - 1] as number;
    if (columns === 1 && this.#length !== 1) return t;
    const dense = contiguous(t) as HostTensor;
    const shape = [...t.shape.slice(0, -1), this.count];
    const lines = t.shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const data = allocate(t.dtype, lines * this.count);
    const size = data.BYTES_PER_ELEMENT;
    const from = new Uint8Array(dense.data.buffer, dense.data.byteOffset + dense.offset * size);
    const to = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.forEachRun((column, own, length) => {
      for (let line = 0; line < lines; line++) {
        const start = (line * columns + column) * size;
        to.set(from.subarray(start, start + length * size), (line * this.count + own) * size);
      }
    });
    return tensor(data, shape, { dtype: t.dtype });
  }
}

/** Blocks of a part's keys. */
interface CutBlocks {
  readonly mask: HostTensor;
  readonly keyBlock: number;
}

/** Blocks of the part's keys, so small that each lies within one block of the call. */
function cutBlocks(bound: BoundAttention, mask: HostTensor, columns: Columns): CutBlocks {
  const { problem, keyStarts } = bound;
  const whole = problem.blockMask?.keyBlock as number;
  if (keyStarts !== null) return cutRaggedBlocks(keyStarts, mask, whole, columns);
  const { pageSize, length } = columns.stripes;
  let keyBlock = divisor(whole, pageSize);
  // In pages, each begins with a block of its own.
  if (problem.pages)
    keyBlock = divisor(divisor(keyBlock, length), columns.count / problem.pages.perSequence);
  const dense = contiguous(mask) as HostTensor;
  const shape = dense.shape as readonly [number, number, number, number];
  const lines = shape[0] * shape[1] * shape[2];
  const blocks = Math.ceil(columns.count / keyBlock);
  const data = new Uint8Array(lines * blocks);
  columns.forEachRun((column, own, run) => {
    for (let i = 0; i < run; i += keyBlock) {
      const from = Math.floor((column + i) / whole);
      const to = (own + i) / keyBlock;
      // A sequence of a ragged batch may have fewer blocks than the page table has keys.
      if (from >= shape[3]) continue;
      for (let line = 0; line < lines; line++) {
        data[line * blocks + to] = dense.data[dense.offset + line * shape[3] + from] as number;
      }
    }
  });
  return {
    mask: tensor(data, [shape[0], shape[1], shape[2], blocks], { dtype: "bool" }),
    keyBlock,
  };
}

/**
 * Blocks of one key each, of each sequence: where its keys in the part start and end has nothing to do with blocks, which count
 * from the sequence's start.
 */
function cutRaggedBlocks(
  keyStarts: Int32Array,
  mask: HostTensor,
  whole: number,
  { stripes, part }: Columns,
): CutBlocks {
  const dense = contiguous(mask) as HostTensor;
  const [batch, heads, queries, keys] = dense.shape as readonly [number, number, number, number];
  const sequences = keyStarts.length - 1;
  const firsts = keyStarts.map((start) => stripes.rowsBefore(part, start));
  const own = stripes.indices(part);
  let longest = 0;
  for (let s = 0; s < sequences; s++) {
    longest = Math.max(longest, (firsts[s + 1] as number) - (firsts[s] as number));
  }
  const lines = heads * queries;
  const data = new Uint8Array(sequences * lines * longest);
  for (let s = 0; s < sequences; s++) {
    const first = firsts[s] as number;
    const from = dense.offset + (batch === 1 ? 0 : s) * lines * keys;
    for (let row = first; row < (firsts[s + 1] as number); row++) {
      const block = Math.floor(((own[row] as number) - (keyStarts[s] as number)) / whole);
      // Keys past the sequence's length may lie behind the last block.
      if (block >= keys) continue;
      for (let line = 0; line < lines; line++) {
        data[(s * lines + line) * longest + row - first] = dense.data[
          from + line * keys + block
        ] as number;
      }
    }
  }
  return {
    mask: tensor(data, [sequences, heads, queries, longest], { dtype: "bool" }),
    keyBlock: 1,
  };
}

/** The greatest common divisor. */
function divisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return x;
}
