import { checkNames, reading } from "../options.js";
import {
  abs,
  equal,
  floorDivide,
  greaterEqual,
  less,
  lessEqual,
  or,
  subtract,
} from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { type Table, table } from "../program/sources.js";
import { type HostTensor, tensor } from "../tensor/tensor.js";
import { checkCount, checkShape } from "./arguments.js";

/** Blocks of BigBird's attention. */
export interface BigBirdOptions {
  /** Tokens of the sequence. */
  readonly length: number;
  /** Tokens of a block. */
  readonly block: number;
  /** First blocks, and as many last ones, that see everything and are seen by everything. Default 1. */
  readonly globalBlocks?: number | undefined;
  /** Blocks around a query's own that it sees, its own included; odd. Default 3. */
  readonly windowBlocks?: number | undefined;
  /** Blocks that each block of queries sees beside: int32 `[heads or 1, blocks, random blocks]`. Default: none. */
  readonly random?: HostTensor | undefined;
}

const names: ReadonlySet<string> = new Set([
  "length",
  "block",
  "globalBlocks",
  "windowBlocks",
  "random",
]);

/**
 * Global, window and random blocks (BigBird, Zaheer et al., 2020, arXiv:2007.14062).
 *
 * @throws InvalidInputError naming the option at fault
 */
export function bigBird(options: BigBirdOptions): MaskProgram {
  checkNames("options", options, names);
  const {
    length,
    block,
    globalBlocks = 1,
    windowBlocks = 3,
    random,
  } = reading("options", () => ({ ...options }));
  checkCount("length", length, 1);
  checkCount("block", block, 1);
  checkCount("globalBlocks", globalBlocks, 0);
  checkCount("windowBlocks", windowBlocks, 0);
  const blocks = Math.ceil(length / block);
  const chosen: Table<"int32"> | null = random
    ? table(checkShape("random", random, "int32", [null, blocks, null]) as HostTensor<"int32">)
    : null;
  return maskMod(({ head, query, key }) => {
    const q = floorDivide(query, block);
    const k = floorDivide(key, block);
    const isGlobal = (x: typeof q) =>
      or(less(x, globalBlocks), greaterEqual(x, blocks - globalBlocks));
    const picks = [...new Array(chosen?.tensor.shape[2] ?? 0).keys()];
    return or(
      isGlobal(q),
      isGlobal(k),
      windowBlocks > 0 && lessEqual(abs(subtract(q, k)), (windowBlocks - 1) >> 1),
      ...picks.map((pick) => chosen !== null && equal(chosen.at(head, q, pick), k)),
    );
  });
}

/**
 * Random blocks for {@link bigBird}: for each head and block of queries, `count` different blocks that are neither
 * global nor in its window; fewer, with repeats, where there are not as many.
 *
 * @param seed an integer; equal seeds give equal blocks
 * @returns int32 `[heads, blocks, count]`
 * @throws InvalidInputError naming the option at fault
 */
export function bigBirdRandomBlocks(
  options: Omit<BigBirdOptions, "random"> & {
    readonly heads: number;
    readonly count: number;
    readonly seed: number;
  },
): HostTensor<"int32"> {
  checkNames("options", options, new Set([...names, "heads", "count", "seed"]));
  const {
    length,
    block,
    globalBlocks = 1,
    windowBlocks = 3,
    heads,
    count,
    seed,
  } = reading("options", () => ({ ...options }));
  checkCount("length", length, 1);
  checkCount("block", block, 1);
  checkCount("heads", heads, 1);
  checkCount("count", count, 1);
  checkCount("seed", seed, -(2 ** 31));
  const blocks = Math.ceil(length / block);
  const half = (windowBlocks - 1) >> 1;
  const next = randomNumbers(seed);
  const picks = new Int32Array(heads * blocks * count);
  for (let row = 0; row < heads * blocks; row++) {
    const q = row % blocks;
    const others = [...new Array(blocks).keys()].filter(
      (k) => k >= globalBlocks && k < blocks - globalBlocks && Math.abs(q - k) > half,
    );
    for (let pick = 0; pick < count; pick++) {
      const left = others.length - pick;
      const at = left > 0 ? pick + Math.floor(next() * left) : pick % Math.max(1, others.length);
      const block = others[at] ?? q;
      if (left > 0) {
        others[at] = others[pick] as number;
        others[pick] = block;
      }
      picks[row * count + pick] = block;
    }
  }
  return tensor(picks, [heads, blocks, count]);
}

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
