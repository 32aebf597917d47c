import { describeValue, InvalidInputError } from "../errors.js";
import { checkNames, isInt32, reading } from "../options.js";
import { readHostTensor } from "../tensor/host-tensor.js";
import { maxElements } from "../tensor/layout.js";
import { type HostTensor, zeros } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { type BlockRuns, BlockRunsBuilder, blockKinds, kindOf, writeKinds } from "./block-runs.js";
import type { MaskProgram } from "./program-class.js";

/** Which blocks of queries and keys a call looks at: what `AttentionInputs.blockMask` takes. */
export interface BlockMaskData {
  /**
   * bool `[batch or 1, heads or 1, ⌈queryLength / queryBlock⌉, ⌈keyLength / keyBlock⌉]`: false hides every key
   * of the block from every query of it. In a ragged batch, a batch entry is a sequence, and the lengths are at least
   * those of the longest one.
   */
  readonly mask: HostTensor;
  /** Queries of a block, an integer ≥ 1; the last block may have fewer. */
  readonly queryBlock: number;
  /** Keys of a block, an integer ≥ 1; the last block may have fewer. */
  readonly keyBlock: number;
}

/** The circumstances in which a program gave a block mask: a call that uses it must have the same. */
export interface BlockMaskOrigin {
  readonly program: MaskProgram;
  /** Values of the program's scalars. */
  readonly scalars: readonly number[];
  readonly queryLength: number;
  readonly keyLength: number;
  /** null if the program gives the same for each batch entry. */
  readonly batch: number | null;
  /** null if the program gives the same for each head. */
  readonly heads: number | null;
  /** Positions of query row 0, one a batch entry or one for all; null if positions are data. */
  readonly offsets: Int32Array | null;
  /** Positions as data: the only row, or one a batch entry; null without them. */
  readonly queryPositions: Int32Array | null;
  readonly keyPositions: Int32Array | null;
}

/**
 * Which blocks of queries and keys are empty, partial or full, kept as runs of neighbours. It is made once
 * and used by any number of calls.
 */
export class BlockMask implements BlockMaskData {
  readonly queryBlock: number;
  readonly keyBlock: number;
  /** `[batch or 1, heads or 1, query blocks, key blocks]`. */
  readonly shape: readonly [batch: number, heads: number, queries: number, keys: number];
  /** The program and circumstances that it was made of; null for one that was given as data. */
  readonly origin: BlockMaskOrigin | null;
  /** Runs of key blocks of each row of query blocks: row `(batch · heads + head) · query blocks + block`. */
  readonly rows: BlockRuns;
  #columns: BlockRuns | null = null;
  #mask: HostTensor<"bool"> | null = null;

  /** @internal Use `createBlockMask`. */
  constructor(
    shape: readonly [number, number, number, number],
    queryBlock: number,
    keyBlock: number,
    rows: BlockRuns,
    origin: BlockMaskOrigin | null,
  ) {
    this.shape = Object.freeze(shape);
    this.queryBlock = queryBlock;
    this.keyBlock = keyBlock;
    this.rows = rows;
    this.origin = origin;
  }

  /** Runs of query blocks of each column of key blocks: column `(batch · heads + head) · key blocks + block`. */
  get columns(): BlockRuns {
    this.#columns ??= transposed(this.rows, this.shape);
    return this.#columns;
  }

  /** The block mask as data: bool of {@link shape}, true where a block is not empty. */
  get mask(): HostTensor<"bool"> {
    if (this.#mask === null) {
      const [batch, heads, queries, keys] = this.shape;
      const mask = zeros("bool", this.shape);
      for (let row = 0; row < batch * heads * queries; row++) {
        writeKinds(this.rows, row, mask.data, row * keys);
      }
      for (let at = 0; at < mask.data.length; at++) mask.data[at] = mask.data[at] === 0 ? 0 : 1;
      this.#mask = mask;
    }
    return this.#mask;
  }

  /** How many blocks there are of each kind. */
  get counts(): { readonly empty: number; readonly partial: number; readonly full: number } {
    const { first, end, full } = this.rows;
    let seen = 0;
    let whole = 0;
    for (let n = 0; n < first.length; n++) {
      const blocks = (end[n] as number) - (first[n] as number);
      seen += blocks;
      if (full[n] === 1) whole += blocks;
    }
    const all = this.shape.reduce((product, size) => product * size, 1);
    return { empty: all - seen, partial: seen - whole, full: whole };
  }

  /** The kind of one block; a batch entry or head beyond an axis of size 1 is its only one. */
  kind(batch: number, head: number, query: number, key: number): "empty" | "partial" | "full" {
    const kind = kindOf(this.rows, this.row(batch, head, query), key);
    return kind === blockKinds.empty ? "empty" : kind === blockKinds.full ? "full" : "partial";
  }

  /** Index in {@link rows} of a query block of a batch entry and a head. */
  row(batch: number, head: number, query: number): number {
    const [batches, heads, queries] = this.shape;
    return ((batches === 1 ? 0 : batch) * heads + (heads === 1 ? 0 : head)) * queries + query;
  }

  static is(value: unknown): value is BlockMask {
    return typeof value === "object" && value !== null && #columns in value;
  }
}

function transposed(
  rows: BlockRuns,
  [batch, heads, queries, keys]: readonly [number, number, number, number],
): BlockRuns {
  const columns = new BlockRunsBuilder(batch * heads * keys);
  const kinds = new Uint8Array(queries * keys);
  for (let matrix = 0; matrix < batch * heads; matrix++) {
    kinds.fill(0);
    for (let q = 0; q < queries; q++) writeKinds(rows, matrix * queries + q, kinds, q * keys);
    for (let k = 0; k < keys; k++) columns.addRow(kinds, k, queries, keys);
  }
  return columns.build();
}

const dataNames: ReadonlySet<string> = new Set(["mask", "queryBlock", "keyBlock"]);

/**
 * A block mask that a caller gave: one of `createBlockMask`, or data, which is read now.
 *
 * @throws InvalidInputError naming `blockMask` or its member at fault
 */
export function readBlockMask(value: unknown): BlockMask {
  if (BlockMask.is(value)) return value;
  const { tensor, shape, queryBlock, keyBlock } = checkBlockMaskData(value);
  const [batch, heads, queries, keys] = shape;
  const seen = Uint8Array.from(toFloat64(tensor), (byte) => (byte === 0 ? 0 : blockKinds.partial));
  const rows = new BlockRunsBuilder(batch * heads * queries);
  for (let row = 0; row < batch * heads * queries; row++) rows.addRow(seen, row * keys, keys);
  return new BlockMask(shape, queryBlock, keyBlock, rows.build(), null);
}

/**
 * Sizes of a block mask that a caller gave; nothing of its elements is read.
 *
 * @throws InvalidInputError naming `blockMask` or its member at fault
 */
export function blockMaskSizes(value: unknown): BlockMaskSizes {
  return BlockMask.is(value) ? value : checkBlockMaskData(value);
}

/** Blocks of a block mask, and its shape. */
export type BlockMaskSizes = Pick<BlockMask, "shape" | "queryBlock" | "keyBlock">;

function checkBlockMaskData(value: unknown): BlockMaskSizes & { readonly tensor: HostTensor } {
  checkNames("blockMask", value, dataNames);
  return reading("blockMask", () => {
    const { mask, queryBlock, keyBlock } = value as BlockMaskData;
    checkBlock("blockMask.queryBlock", queryBlock);
    checkBlock("blockMask.keyBlock", keyBlock);
    const tensor = readHostTensor("blockMask.mask", mask as HostTensor) as HostTensor;
    const { dtype, shape } = tensor;
    if (dtype === "bool" && shape.length === 4) {
      const sizes = [...shape] as [number, number, number, number];
      return { tensor, shape: sizes, queryBlock, keyBlock };
    }
    const actual = `${dtype} of shape [${shape.join(", ")}]`;
    throw new InvalidInputError("blockMask.mask", "bool of rank 4", actual);
  });
}

/** @throws InvalidInputError unless a value is a size of blocks */
export function checkBlock(argument: string, value: unknown): asserts value is number {
  if (isInt32(value) && value >= 1) return;
  throw new InvalidInputError(argument, "an integer ≥ 1", describeValue(value));
}

/** @throws InvalidInputError unless a value is a length or a count */
export function checkSize(argument: string, value: unknown): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= maxElements)
    return;
  throw new InvalidInputError(argument, "an integer ≥ 0", describeValue(value));
}
