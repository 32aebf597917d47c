import { describeValue, InvalidInputError } from "../errors.js";
import { checkBatchIntegers, checkNames, isInt32, reading } from "../options.js";
import { readHostTensor } from "../tensor/host-tensor.js";
import type { HostTensor } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { BlockMask, type BlockMaskOrigin, checkBlock, checkSize } from "./block-mask.js";
import { BlockRunsBuilder, blockKinds } from "./block-runs.js";
import { type BoundProgram, bindProgram } from "./bound.js";
import { type BoxPositions, ProgramBoxes } from "./boxes.js";
import { type BlockGrid, classifyBlocks } from "./classify-blocks.js";
import { variablesOf } from "./form.js";
import { type BoxVisibility, ProgramIntervals } from "./intervals.js";
import { isProgram, type MaskProgram } from "./program-class.js";
import { TileProgram } from "./tile/tile-program.js";

/** Sizes of the calls that a block mask is for. */
export interface BlockMaskOptions {
  /** Batch entries. Default 1. */
  readonly batch?: number | undefined;
  /** Query heads. Default 1. */
  readonly heads?: number | undefined;
  readonly queryLength: number;
  readonly keyLength: number;
  /** Queries of a block. Default 128. */
  readonly queryBlock?: number | undefined;
  /** Keys of a block. Default 128. */
  readonly keyBlock?: number | undefined;
  /** Position of query row 0, as the calls say it: one number or one a batch entry. Default 0. */
  readonly queryOffset?: number | "bottom-right" | Int32Array | readonly number[] | undefined;
  /** Positions of queries as data, int32 `[batch or 1, queryLength]`, as the calls say them. */
  readonly queryPositions?: HostTensor | undefined;
  /** Positions of keys as data, int32 `[batch or 1, keyLength]`, as the calls say them. */
  readonly keyPositions?: HostTensor | undefined;
}

const optionNames: ReadonlySet<string> = new Set([
  "batch",
  "heads",
  "queryLength",
  "keyLength",
  "queryBlock",
  "keyBlock",
  "queryOffset",
  "queryPositions",
  "keyPositions",
]);

const defaultBlock = 128;

/** Rows of a block that are evaluated together. */
const lanes = 3;

/**
 * Finds which blocks of queries and keys a mask program leaves empty, full or partial (FlexAttention's
 * BlockMask, arXiv:2412.05496): by interval arithmetic over ever smaller rectangles, and by evaluation
 * of the blocks for which that is not enough. No array of the size queryLength × keyLength is made.
 *
 * A call takes the result as `blockMask`. It skips empty blocks, and runs the program in partial ones
 * only. The contents of tables count as they are now; make it anew when they, or scalars, change.
 *
 * @throws InvalidInputError naming `maskMod` or the option at fault
 */
export function createBlockMask(maskMod: MaskProgram, options: BlockMaskOptions): BlockMask {
  if (!isProgram(maskMod, "mask")) {
    throw new InvalidInputError("maskMod", "a program of maskMod()", describeValue(maskMod));
  }
  checkNames("options", options, optionNames);
  return reading("options", () => classify(maskMod, options));
}

function classify(program: MaskProgram, options: BlockMaskOptions): BlockMask {
  const { batch = 1, heads = 1, queryLength, keyLength } = options;
  const { queryBlock = defaultBlock, keyBlock = defaultBlock } = options;
  checkSize("batch", batch);
  checkSize("heads", heads);
  checkSize("queryLength", queryLength);
  checkSize("keyLength", keyLength);
  checkBlock("queryBlock", queryBlock);
  checkBlock("keyBlock", keyBlock);
  const positions = readPositions(options, batch, queryLength, keyLength);
  const bound = bindProgram(program);
  const used = variablesOf(program.form);
  const ofPositions = positions.vary && (used.has("query") || used.has("key"));
  const batches = used.has("batch") || ofPositions ? batch : null;
  const headCount = used.has("head") ? heads : null;
  const shape = [
    batches ?? Math.min(1, batch),
    headCount ?? Math.min(1, heads),
    Math.ceil(queryLength / queryBlock),
    Math.ceil(keyLength / keyBlock),
  ] as const;
  checkSize("blocks of queries of all batch entries and heads", shape[0] * shape[1] * shape[2]);
  const origin: BlockMaskOrigin = {
    program,
    scalars: bound.scalars,
    queryLength,
    keyLength,
    batch: batches,
    heads: headCount,
    offsets: positions.offsets,
    queryPositions: positions.query?.data ?? null,
    keyPositions: positions.key?.data ?? null,
  };
  const sizes = { queryLength, keyLength, queryBlock, keyBlock };
  const rows = new Classifier(bound, sizes, positions).run(shape);
  return new BlockMask(shape, queryBlock, keyBlock, rows, origin);
}

/** Positions of queries and keys. */
interface Positions {
  /** One a batch entry, or one for all; null if queries have positions as data. */
  readonly offsets: Int32Array | null;
  readonly query: PositionTable | null;
  readonly key: PositionTable | null;
  /** Whether batch entries differ. */
  readonly vary: boolean;
}

/** Positions as data: one row for all batch entries, or one each. */
class PositionTable {
  readonly rows: number;
  readonly data: Int32Array;
  readonly #rows: readonly Int32Array[];

  constructor(rows: number, length: number, data: Int32Array) {
    this.rows = rows;
    this.data = data;
    this.#rows = Array.from({ length: rows }, (_, n) =>
      data.subarray(n * length, (n + 1) * length),
    );
  }

  /** The positions of a batch entry. */
  row(batch: number): Int32Array {
    return this.#rows[this.rows === 1 ? 0 : batch] as Int32Array;
  }
}

function readPositions(
  { queryOffset, queryPositions, keyPositions }: BlockMaskOptions,
  batch: number,
  queryLength: number,
  keyLength: number,
): Positions {
  const query = readTable("queryPositions", queryPositions, batch, queryLength);
  const key = readTable("keyPositions", keyPositions, batch, keyLength);
  if (queryOffset !== undefined && (query || key)) {
    throw new InvalidInputError(
      "queryOffset",
      "nothing beside positions",
      describeValue(queryOffset),
    );
  }
  const offsets = query || key ? null : readOffsets(queryOffset, batch, keyLength - queryLength);
  const vary =
    (query?.rows ?? 1) > 1 || (key?.rows ?? 1) > 1 || (offsets !== null && offsets.length > 1);
  return { offsets, query, key, vary };
}

function readOffsets(
  given: BlockMaskOptions["queryOffset"],
  batch: number,
  bottomRight: number,
): Int32Array {
  if (given === undefined) return new Int32Array(1);
  if (given === "bottom-right") return Int32Array.of(bottomRight);
  if (typeof given === "number") {
    if (isInt32(given)) return Int32Array.of(given);
    throw new InvalidInputError("queryOffset", "a 32-bit integer", describeValue(given));
  }
  checkBatchIntegers("queryOffset", given, batch);
  return Int32Array.from(given);
}

function readTable(
  argument: string,
  given: HostTensor | undefined,
  batch: number,
  length: number,
): PositionTable | null {
  if (given === undefined) return null;
  const t = readHostTensor(argument, given);
  const [rows, size] = t.shape;
  if (
    t.dtype === "int32" &&
    t.shape.length === 2 &&
    (rows === 1 || rows === batch) &&
    size === length
  ) {
    return new PositionTable(rows, length, Int32Array.from(toFloat64(t)));
  }
  throw new InvalidInputError(
    argument,
    `int32 of shape [1, ${length}] or [${batch}, ${length}]`,
    `${t.dtype} of shape [${t.shape.join(", ")}]`,
  );
}

type Sizes = Readonly<Record<"queryLength" | "keyLength" | "queryBlock" | "keyBlock", number>>;

/** Classifies the blocks of each batch entry and head: by intervals, and by evaluation where they do not tell. */
class Classifier {
  readonly #sizes: Sizes;
  readonly #positions: Positions;
  readonly #intervals: ProgramIntervals;
  readonly #tile: TileProgram;
  readonly #rows: Readonly<Record<"head" | "position" | "index", Int32Array>>;
  readonly #boxes = new ProgramBoxes();
  #at: BoxPositions = { offset: 0, queryPositions: null, keyPositions: null };
  #head = 0;

  constructor(bound: BoundProgram<"mask">, sizes: Sizes, positions: Positions) {
    this.#sizes = sizes;
    this.#positions = positions;
    this.#intervals = new ProgramIntervals(bound);
    const keys = Math.min(sizes.keyBlock, sizes.keyLength);
    const rows = Math.min(sizes.queryBlock, sizes.queryLength);
    this.#tile = new TileProgram(bound, { keys, rows, lanes });
    const list = (): Int32Array => new Int32Array(rows);
    this.#rows = { head: list(), position: list(), index: list() };
  }

  run([batch, heads, rows, columns]: readonly [number, number, number, number]) {
    const builder = new BlockRunsBuilder(batch * heads * rows);
    const grid: BlockGrid = {
      rows,
      columns,
      visibility: (q, Q, k, K) => this.#look(q, Q, k, K),
      evaluate: (q, k) => this.#evaluate(q, k),
    };
    const { offsets, query, key } = this.#positions;
    for (let b = 0; b < batch; b++) {
      this.#at = {
        offset: offsets ? (offsets[offsets.length === 1 ? 0 : b] as number) : 0,
        queryPositions: query?.row(b) ?? null,
        keyPositions: key?.row(b) ?? null,
      };
      this.#boxes.setBatch(b, this.#at);
      this.#tile.setBatch(b);
      for (let h = 0; h < heads; h++) {
        this.#head = h;
        this.#boxes.setHeads(h, h + 1);
        classifyBlocks(builder, grid);
      }
    }
    return builder.build();
  }

  #look(q: number, Q: number, k: number, K: number): BoxVisibility {
    const { queryLength, keyLength, queryBlock, keyBlock } = this.#sizes;
    this.#boxes.setQueries(q * queryBlock, Math.min(queryLength, Q * queryBlock));
    this.#boxes.setKeys(k * keyBlock, Math.min(keyLength, K * keyBlock));
    return this.#intervals.visibility(this.#boxes.box);
  }

  /** The kind of a block by the program's values, until both of them were seen. */
  #evaluate(q: number, k: number): number {
    const { queryLength, keyLength, queryBlock, keyBlock } = this.#sizes;
    const { offset, queryPositions, keyPositions } = this.#at;
    const firstKey = k * keyBlock;
    const keys = Math.min(keyBlock, keyLength - firstKey);
    const firstQuery = q * queryBlock;
    const rows = Math.min(queryBlock, queryLength - firstQuery);
    const { head, position, index } = this.#rows;
    for (let r = 0, i = firstQuery; r < rows; r++, i++) {
      head[r] = this.#head;
      position[r] = queryPositions ? (queryPositions[i] as number) : i + offset;
      index[r] = i;
    }
    this.#tile.setRows(rows, this.#rows);
    this.#tile.setKeys(firstKey, keys, keyPositions);
    let seen = false;
    let hidden = false;
    for (let r = 0; r < rows; r += lanes) {
      const visible = this.#tile.visible(r);
      for (let s = 0; s < keys * lanes; s++) {
        if (visible[s] === 0) hidden = true;
        else seen = true;
      }
      if (seen && hidden) return blockKinds.partial;
    }
    return seen ? blockKinds.full : blockKinds.empty;
  }
}
