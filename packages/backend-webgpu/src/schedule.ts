import { type AttentionProblem, bytesPerElement } from "@heed/core";
import type { Capabilities } from "./capabilities.js";
import type { Choice } from "./choose.js";
import { packKernel, unpackKernel } from "./kernels/convert.js";
import { decodeKernel } from "./kernels/decode.js";
import type { BindingName, Kernel, Storage } from "./kernels/kernel.js";
import { linearThreads } from "./kernels/linear.js";
import { type MatrixName, matrixKernel, matrixKeys } from "./kernels/matrix.js";
import { mergeKernel } from "./kernels/merge.js";
import { tileRows } from "./kernels/products.js";
import { registersKernel, registersThreads } from "./kernels/registers.js";
import { rowKernel } from "./kernels/row.js";
import { partWords } from "./kernels/statistics.js";
import { subgroupMatrixKernel } from "./kernels/subgroup-matrix.js";
import { tileKernel } from "./kernels/tile.js";
import { flags, noParams, type ParamName, type Params } from "./params.js";
import {
  type Access,
  type BindingLimits,
  divide,
  type Footprint,
  type Operand,
  type Range,
  type Region,
  windowOf,
} from "./regions.js";

/** Where the call's tensors lie. */
export interface Layouts {
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
  readonly mask: Operand | null;
  readonly bias: Operand | null;
}

/** Buffers by what they hold; those with `32` are float32 copies of float16 tensors. */
export type BufferName =
  | "query"
  | "key"
  | "value"
  | "mask"
  | "bias"
  | "output"
  | "logSumExp"
  | "weights"
  | "scores"
  | "partials"
  | "partialStatistics"
  | `${"query" | "key" | "value" | "bias" | "output" | "weights" | "scores"}32`;

export interface BoundWindow {
  /** Null: nothing is read or written, and any buffer does. */
  readonly buffer: BufferName | null;
  readonly start: number;
  readonly size: number;
}

/** One dispatch. */
export interface Step {
  readonly kernel: Kernel;
  readonly params: Params;
  /** In the order of the kernel's bindings; rules are not among them. */
  readonly windows: readonly BoundWindow[];
  readonly grid: readonly [number, number, number];
  /** Roughly how many operations it takes. */
  readonly work: number;
}

export interface Schedule {
  readonly steps: readonly Step[];
  /** Bytes of each buffer that a run needs beside inputs and outputs. */
  readonly workspace: ReadonlyMap<BufferName, number>;
}

/**
 * Operations that one dispatch may take. Drivers reset a GPU that works on one thing for two seconds
 * (Windows' TDR) or less; a slow one does 10^11 a second, the imitation on a CPU 10^9.
 */
const mostWork = (software: boolean): number => (software ? 1e9 : 1e10);

/**
 * Everything that a run does on the device, in order. Pure.
 *
 * Parts of tensors that are larger than a binding may be are computed one after another: by batches,
 * heads and rows as far as that helps, and beyond by keys, whose parts are merged by log-sum-exp.
 *
 * @returns null where even the smallest part is larger than a binding
 */
export function schedule(
  problem: AttentionProblem,
  choice: Choice,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  return new Scheduler(problem, choice, layouts, capabilities).run();
}

class Scheduler {
  readonly #problem: AttentionProblem;
  readonly #choice: Choice;
  readonly #layouts: Layouts;
  readonly #capabilities: Capabilities;
  readonly #limits: BindingLimits;
  readonly #steps: Step[] = [];
  readonly #workspace = new Map<BufferName, number>();
  readonly #group: number;
  /** Parts of the keys that are computed apart and then merged. */
  #parts = 1;

  constructor(
    problem: AttentionProblem,
    choice: Choice,
    layouts: Layouts,
    capabilities: Capabilities,
  ) {
    this.#problem = problem;
    this.#choice = choice;
    this.#layouts = layouts;
    this.#capabilities = capabilities;
    this.#limits = {
      bytes: capabilities.limits.maxStorageBufferBindingSize,
      alignment: capabilities.limits.minStorageBufferOffsetAlignment,
    };
    this.#group = problem.kvHeads === 0 ? 1 : problem.queryHeads / problem.kvHeads;
  }

  run(): Schedule | null {
    const { batch, queryHeads, queryLength } = this.#problem;
    if (batch * queryHeads * queryLength > 0) {
      const layouts = this.#unpackInputs();
      if (!this.#forward(layouts)) return null;
      for (const matrix of ["scores", "weights"] as const) {
        const wanted =
          matrix === "weights" ? this.#problem.returns.weights : this.#problem.returns.scores;
        if (wanted && !this.#matrix(matrix, layouts)) return null;
      }
    }
    return { steps: this.#steps, workspace: this.#workspace };
  }

  /** Where a tensor of the problem's dtype is computed with: itself, or its float32 copy. */
  #name(name: "query" | "key" | "value" | "output" | "weights" | "scores"): BufferName {
    return this.#choice.convert ? `${name}32` : name;
  }

  /** float32 copies of float16 inputs. */
  #unpackInputs(): Layouts {
    if (!this.#choice.convert) return this.#layouts;
    const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = this.#problem;
    const unpack = (
      name: "query" | "key" | "value" | "bias",
      operand: Operand,
      shape: readonly number[],
    ): Operand => {
      // Whole bindings are converted, so the copy starts where one can.
      const first = Math.floor(operand.offset / convertGrain) * convertGrain;
      const end = shape.reduce(
        (at, size, axis) => at + (size - 1) * (operand.strides[axis] as number),
        operand.offset + 1,
      );
      const count = shape.includes(0) ? 0 : end - first;
      this.#workspace.set(`${name}32`, 4 * count);
      this.#convert(unpackKernel(), name, `${name}32`, first, count);
      return { ...operand, offset: operand.offset - first, elementBytes: 4 };
    };
    const { query, key, value, mask, bias } = this.#layouts;
    return {
      query: unpack("query", query, [batch, queryHeads, queryLength, headDim]),
      key: unpack("key", key, [batch, kvHeads, keyLength, headDim]),
      value: unpack("value", value, [batch, kvHeads, keyLength, valueDim]),
      mask,
      bias:
        bias?.elementBytes === 2
          ? unpack("bias", bias, [batch, queryHeads, queryLength, keyLength])
          : bias,
    };
  }

  /** A float16 output from its float32 original. */
  #packOutput(name: "output" | "weights" | "scores", count: number): void {
    if (!this.#choice.convert) return;
    this.#workspace.set(`${name}32`, 4 * count);
    this.#convert(packKernel(), `${name}32`, name, 0, count);
  }

  /**
   * Converts elements in order, in parts that fit into bindings on both sides.
   *
   * @param first of the float16 side; the float32 side starts at 0
   */
  #convert(kernel: Kernel, source: BufferName, target: BufferName, first: number, count: number) {
    const most = Math.max(1, Math.floor(this.#limits.bytes / 4 / convertGrain)) * convertGrain;
    for (let at = 0; at < count; at += most) {
      const part = Math.min(most, count - at);
      const float16 = { start: 2 * (first + at), size: 4 * Math.ceil(part / 2) };
      const float32 = { start: 4 * at, size: 4 * part };
      const unpacks = target.endsWith("32");
      this.#push(
        kernel,
        { count: part },
        [
          { buffer: source, ...(unpacks ? float16 : float32) },
          { buffer: target, ...(unpacks ? float32 : float16) },
        ],
        Math.ceil(Math.ceil(part / 2) / linearThreads),
        1,
      );
    }
  }

  /** The output and the log-sum-exp, in parts and merged where need be. False where nothing fits. */
  #forward(layouts: Layouts): boolean {
    const { batch, queryHeads, queryLength, keyLength, valueDim, returns } = this.#problem;
    const { stack, splits } = this.#choice;
    const rows = batch * queryHeads * queryLength;
    const heads = queryHeads / stack;
    const whole: Region = {
      batches: { first: 0, end: batch },
      heads: { first: 0, end: heads },
      rows: { first: 0, end: stack * queryLength },
      keys: { first: 0, end: keyLength },
    };
    const segments = this.#keySegments(whole, layouts);
    if (segments === null) return false;
    const parts = splits * segments.length;
    this.#parts = parts;
    // Weights are made of a row's maximum and sum, which only parts leave.
    const partial = parts > 1 || returns.weights;
    if (partial) {
      this.#workspace.set("partials", 4 * rows * parts * valueDim);
      this.#workspace.set("partialStatistics", 4 * partWords * rows * parts);
    }
    const output: BufferName = partial ? "partials" : this.#name("output");
    const kernel = this.#forwardKernel(partial ? "f32" : this.#choice.storage, layouts);
    for (const [s, keys] of segments.entries()) {
      const outputs = this.#rowMajor(
        partial ? 4 : bytesOf(this.#choice.storage),
        parts * valueDim,
        s * splits * valueDim,
        (splits - 1) * valueDim + valueDim,
      );
      const words = partial ? partWords : 1;
      const statistics = this.#rowMajor(4, words * parts, words * s * splits, words * splits);
      const accesses = {
        ...this.#inputAccesses(layouts),
        output: outputs,
        ...((returns.logSumExp || partial) && { statistics }),
      };
      const regions = divide({ ...whole, keys }, Object.values(accesses), this.#limits, {
        batches: 1,
        heads: 1,
        rows: tileRows,
      });
      if (regions === null) return false;
      for (const region of regions) {
        this.#forwardRegion(kernel, region, accesses, s * splits, output);
      }
    }
    if (partial && !this.#merge()) return false;
    this.#packOutput("output", rows * valueDim);
    return true;
  }

  #forwardKernel(output: Storage, layouts: Layouts): Kernel {
    const choice = this.#choice;
    const { storage, bias } = choice;
    switch (choice.kernel) {
      case "tile":
        return tileKernel({ ...choice.tile, storage, bias, output });
      case "row":
        return rowKernel({ storage, bias, output });
      case "decode": {
        const { headDim, valueDim } = this.#problem;
        const vectors = inFours(layouts.key, headDim) && inFours(layouts.value, valueDim);
        return decodeKernel({ ...choice.decode, vectors, storage, bias, output });
      }
      case "subgroup-matrix":
        return subgroupMatrixKernel({ ...choice.matrix, bias, output });
      case "quad":
      case "stream":
        return registersKernel({ ...choice.registers, output });
    }
  }

  /** Ranges of keys small enough that a tile of rows of one head can work on each. */
  #keySegments(whole: Region, layouts: Layouts): Range[] | null {
    const smallest: Region = {
      ...whole,
      batches: { first: 0, end: 1 },
      heads: { first: 0, end: 1 },
      rows: { first: 0, end: Math.min(whole.rows.end, tileRows) },
    };
    const accesses = Object.values(this.#inputAccesses(layouts));
    const regions = divide(smallest, accesses, this.#limits, { keys: tileRows });
    return regions?.map(({ keys }) => keys) ?? null;
  }

  #forwardRegion(
    kernel: Kernel,
    region: Region,
    accesses: Partial<Record<BindingName, Access>>,
    first: number,
    output: BufferName,
  ): void {
    const { headDim, valueDim, returns } = this.#problem;
    const { splits, rows, columns } = this.#choice;
    const keys = length(region.keys);
    const splitKeys = Math.max(tileRows, Math.ceil(keys / splits / tileRows) * tileRows);
    const parts = this.#parts;
    const partial = output === "partials";
    const words = partial ? partWords : 1;
    const { windows, bases } = this.#bind(kernel, accesses, region, {
      output,
      statistics: partial ? "partialStatistics" : "logSumExp",
    });
    const tiles = Math.ceil(length(region.rows) / rows);
    const slices = Math.ceil(valueDim / columns);
    // Invocations of a stream's workgroup have a split each.
    const gridSplits = this.#choice.kernel === "stream" ? splits / registersThreads : splits;
    const params = {
      ...this.#regionParams(region),
      ...bases,
      rowTiles: tiles,
      slices,
      splits: gridSplits,
      splitKeys,
      flags: partial
        ? (this.#flags(true) & ~flags.sinks) | flags.partial
        : this.#flags(returns.logSumExp),
      // A segment's first part of a row.
      outputBase: (bases.outputBase ?? 0) + first * valueDim,
      statisticsBase: (bases.statisticsBase ?? 0) + words * first,
      outputRow: parts * valueDim,
      outputSplit: valueDim,
      statisticsRow: words * parts,
      statisticsSplit: words,
    };
    const blocks = length(region.batches) * length(region.heads) * gridSplits * slices * tiles;
    // A block is a workgroup's, or an invocation's.
    const each = this.#choice.kernel === "row" ? linearThreads : 1;
    const workgroups = Math.ceil(blocks / each);
    const work = 2 * each * rows * Math.min(keys, splitKeys) * (headDim + columns);
    this.#push(kernel, params, windows, workgroups, work);
  }

  #merge(): boolean {
    const parts = this.#parts;
    const { batch, queryHeads, queryLength, valueDim, returns } = this.#problem;
    const kernel = mergeKernel(this.#choice.storage);
    const rows = batch * queryHeads * queryLength;
    const all = { first: 0, end: 1 };
    const whole = { batches: all, heads: all, rows: { first: 0, end: rows }, keys: all };
    const byRow = (elementBytes: number, size: number): Access => ({
      operand: { offset: 0, strides: [0, 0, size, 1], elementBytes },
      footprint: (region) => [all, all, region.rows, { first: 0, end: size }],
    });
    const statistics = returns.logSumExp;
    const accesses: Partial<Record<BindingName, Access>> = {
      partials: byRow(4, parts * valueDim),
      partialStatistics: byRow(4, partWords * parts),
      output: byRow(bytesOf(this.#choice.storage), valueDim),
      ...(statistics && { statistics: byRow(4, 1) }),
    };
    const regions = divide(whole, Object.values(accesses), this.#limits, { rows: 1 });
    if (regions === null) return false;
    for (const region of regions) {
      const { windows, bases } = this.#bind(kernel, accesses, region, {
        output: this.#name("output"),
        statistics: "logSumExp",
      });
      const params = {
        ...this.#sizes(),
        ...bases,
        firstRow: region.rows.first,
        endRow: region.rows.end,
        outputRow: valueDim,
        partialsRow: parts * valueDim,
        statisticsRow: 1,
        count: parts,
        flags: this.#flags(statistics),
      };
      const elements = length(region.rows) * valueDim;
      this.#push(
        kernel,
        params,
        windows,
        Math.ceil(elements / linearThreads),
        parts * linearThreads,
      );
    }
    return true;
  }

  /** The weights or the scores. */
  #matrix(matrix: MatrixName, layouts: Layouts): boolean {
    const { batch, queryHeads, queryLength, keyLength, headDim } = this.#problem;
    if (keyLength === 0) return true;
    const { stack, storage, bias } = this.#choice;
    const kernel = matrixKernel({ matrix, storage, bias, output: storage });
    const { value: _, ...inputs } = this.#inputAccesses(layouts);
    const accesses: Partial<Record<BindingName, Access>> = {
      ...inputs,
      [matrix]: this.#rowMajor(bytesOf(storage), keyLength, 0, null),
      ...(matrix === "weights" && {
        partialStatistics: this.#rowMajor(4, partWords * this.#parts, 0, partWords * this.#parts),
      }),
    };
    const whole: Region = {
      batches: { first: 0, end: batch },
      heads: { first: 0, end: queryHeads / stack },
      rows: { first: 0, end: stack * queryLength },
      keys: { first: 0, end: keyLength },
    };
    const regions = divide(whole, Object.values(accesses), this.#limits, {
      batches: 1,
      heads: 1,
      rows: tileRows,
      keys: tileRows,
    });
    if (regions === null) return false;
    for (const region of regions) {
      const { windows, bases } = this.#bind(kernel, accesses, region, {
        [matrix]: this.#name(matrix),
        partialStatistics: "partialStatistics",
      });
      const tiles = Math.ceil(length(region.rows) / tileRows);
      const slices = Math.ceil(length(region.keys) / matrixKeys);
      const { [`${matrix}Base` as ParamName]: matrixBase = 0, ...others } = bases;
      const params = {
        ...this.#regionParams(region),
        ...others,
        matrixBase,
        rowTiles: tiles,
        slices,
        splits: 1,
        splitKeys: keyLength,
        count: this.#parts,
        flags: this.#flags(false),
      };
      const workgroups = length(region.batches) * length(region.heads) * slices * tiles;
      this.#push(kernel, params, windows, workgroups, 2 * tileRows * matrixKeys * headDim);
    }
    this.#packOutput(matrix, batch * queryHeads * queryLength * keyLength);
    return true;
  }

  #inputAccesses({ query, key, value, mask, bias }: Layouts): Partial<
    Record<BindingName, Access>
  > & {
    value: Access;
  } {
    const { headDim, valueDim, queryLength } = this.#problem;
    const { stack } = this.#choice;
    const queryHeads = ({ heads }: Region): Range => ({
      first: heads.first * stack,
      end: heads.end * stack,
    });
    // Rows of a stack are those of several heads.
    const queryRows = ({ rows }: Region): Range =>
      stack === 1 ? rows : { first: 0, end: queryLength };
    const kvHeads = (region: Region): Range => {
      const { first, end } = queryHeads(region);
      return { first: Math.floor(first / this.#group), end: Math.ceil(end / this.#group) };
    };
    const columns = (end: number): Range => ({ first: 0, end });
    const pairs: Footprint = (region) => [
      region.batches,
      queryHeads(region),
      queryRows(region),
      region.keys,
    ];
    return {
      query: {
        operand: query,
        footprint: (r) => [r.batches, queryHeads(r), queryRows(r), columns(headDim)],
      },
      key: { operand: key, footprint: (r) => [r.batches, kvHeads(r), r.keys, columns(headDim)] },
      value: {
        operand: value,
        footprint: (r) => [r.batches, kvHeads(r), r.keys, columns(valueDim)],
      },
      ...(mask && { mask: { operand: mask, footprint: pairs } }),
      ...(bias && { bias: { operand: bias, footprint: pairs } }),
    };
  }

  /**
   * Something that has `size` elements for each row of `[batch, queryHeads, queryLength]`.
   *
   * @param first of a row's elements, and how many of them are used; null: those of the region's keys
   */
  #rowMajor(elementBytes: number, size: number, first: number, used: number | null): Access {
    const { queryHeads, queryLength } = this.#problem;
    const { stack } = this.#choice;
    return {
      operand: {
        offset: 0,
        strides: [queryHeads * queryLength * size, queryLength * size, size, 1],
        elementBytes,
      },
      footprint: ({ batches, heads, rows, keys }) => [
        batches,
        { first: heads.first * stack, end: heads.end * stack },
        stack === 1 ? rows : { first: 0, end: queryLength },
        used === null ? keys : { first, end: first + used },
      ],
    };
  }

  /** What a kernel's bindings are for a region, and where operands start in them. */
  #bind(
    kernel: Kernel,
    accesses: Partial<Record<BindingName, Access>>,
    region: Region,
    outputs: Partial<Record<BindingName, BufferName>>,
  ): { windows: BoundWindow[]; bases: Partial<Record<ParamName, number>> } {
    const windows: BoundWindow[] = [];
    const bases: Partial<Record<ParamName, number>> = {};
    for (const { name } of kernel.bindings) {
      if (name === "rules") continue;
      const access = accesses[name];
      const window = access ? windowOf(access, region, this.#limits) : null;
      if (!access || !window) {
        windows.push({ buffer: null, start: 0, size: 0 });
        continue;
      }
      windows.push({
        buffer: outputs[name] ?? this.#inputName(name),
        start: window.start,
        size: window.size,
      });
      bases[`${name}Base` as ParamName] = window.base;
      if (!inputNames.has(name)) continue;
      for (const [axis, stride] of access.operand.strides.entries()) {
        bases[`${name}${axisNames[axis]}` as ParamName] = stride;
      }
    }
    return { windows, bases };
  }

  #inputName(name: BindingName): BufferName {
    if (name === "bias") {
      return this.#choice.convert && this.#layouts.bias?.elementBytes === 2 ? "bias32" : "bias";
    }
    return name === "query" || name === "key" || name === "value"
      ? this.#name(name)
      : (name as BufferName);
  }

  #regionParams(region: Region): Partial<Record<ParamName, number>> {
    return {
      ...this.#sizes(),
      heads: length(region.heads),
      firstBatch: region.batches.first,
      endBatch: region.batches.end,
      firstHead: region.heads.first,
      firstRow: region.rows.first,
      endRow: region.rows.end,
      firstKey: region.keys.first,
      endKey: region.keys.end,
    };
  }

  #sizes(): Partial<Record<ParamName, number>> {
    const p = this.#problem;
    return {
      stack: this.#choice.stack,
      group: this.#group,
      batches: p.batch,
      queryHeads: p.queryHeads,
      queryLength: p.queryLength,
      keyLength: p.keyLength,
      headDim: p.headDim,
      valueDim: p.valueDim,
      scale: p.scale,
      softcap: p.softcap ?? 0,
    };
  }

  #flags(statistics: boolean): number {
    const { softcap, bias, alibi, mask, sinks, returns } = this.#problem;
    return (
      (softcap === null ? 0 : flags.softcap) |
      (bias ? flags.bias : 0) |
      (alibi ? flags.alibi : 0) |
      (mask ? flags.mask : 0) |
      (sinks ? flags.sinks : 0) |
      (statistics ? flags.logSumExp : 0) |
      (returns.scores === "capped" ? flags.scoresCapped : 0) |
      (returns.scores === "biased" ? flags.scoresBiased : 0)
    );
  }

  /** Dispatches workgroups, no more at a time than a driver has patience for. */
  #push(
    kernel: Kernel,
    params: Partial<Params>,
    windows: readonly BoundWindow[],
    workgroups: number,
    workEach: number,
  ): void {
    const most = Math.max(1, Math.floor(mostWork(this.#capabilities.software) / workEach));
    for (let first = 0; first < workgroups; first += most) {
      const end = Math.min(workgroups, first + most);
      this.#steps.push({
        kernel,
        params: { ...noParams, ...params, firstWorkgroup: first, workgroups: end },
        windows,
        grid: fold(end - first, this.#capabilities.limits.maxComputeWorkgroupsPerDimension),
        work: (end - first) * workEach,
      });
    }
  }
}

/** float16 elements at which a binding can start. */
const convertGrain = 128;

const inputNames: ReadonlySet<BindingName> = new Set(["query", "key", "value", "mask", "bias"]);
const axisNames = ["Batch", "Head", "Row", "Column"] as const;

function length({ first, end }: Range): number {
  return end - first;
}

function bytesOf(storage: Storage): number {
  return bytesPerElement(storage === "f16" ? "float16" : "float32");
}

/** Whether rows can be read four elements at a time. Bindings start at multiples of 256 bytes. */
function inFours({ offset, strides }: Operand, size: number): boolean {
  const [batch, head, row, column] = strides;
  return column === 1 && [offset, batch, head, row, size].every((n) => n % 4 === 0);
}

/** A number of workgroups as a grid; the last row and slab may have more than are needed. */
export function fold(count: number, most: number): [number, number, number] {
  const x = Math.min(count, most);
  const y = Math.min(Math.ceil(count / x), most);
  return [x, y, Math.ceil(count / (x * y))];
}
