import type { AttentionProblem } from "@heed/core";
import type { Capabilities } from "../../capabilities.js";
import type { KernelName } from "../kernel-names.js";
import { type DecodeShape, decodeThreads } from "../kernels/decode.js";
import { matrixStep } from "../kernels/matrix-sizes.js";
import type { RegistersShape } from "../kernels/registers.js";
import { rowKeys } from "../kernels/row.js";
import type { SubgroupMatrixShape } from "../kernels/subgroup-matrix.js";
import type { TileShape } from "../kernels/tile.js";
import { type Storages, storages } from "../storages.js";
import { tileKeys } from "../wgsl/products.js";
import type { Measured } from "./settings.js";

interface ChoiceOf<K extends KernelName> extends Storages {
  readonly kernel: K;
  /** Query heads whose rows share workgroups: 1, or all of a group. */
  readonly stack: number;
  /** Query rows and value columns of a workgroup, or of an invocation where those have rows of their own. */
  readonly rows: number;
  readonly columns: number;
  /** Parts that the keys are split into, for more workgroups; merged by log-sum-exp. */
  readonly splits: number;
  /** Tiles of keys start at multiples of it: 1, or a tile's keys where rows are to be invariant. */
  readonly keyGrain: number;
  /** Whether the order of a row's sums depends on nothing but the row and its keys. */
  readonly invariant: boolean;
  /** Stacked rows of an item of each list; see `gatheredLayout`. None where rows are numbered. */
  readonly listRows: readonly number[];
  /**
   * How sequences of few rows are computed in a ragged batch: by the decode kernel, so that those that
   * decode beside prefill need no tiles of their own. Null: as all others.
   */
  readonly short: Pick<DecodeShape, "columns" | "headDim"> | null;
  /** The measurement that decided about kernel and sizes; null where the rules did. */
  readonly measured: Measured | null;
}

/** Sizes that only some kernels have. */
interface SizesOf {
  readonly tile: { readonly tile: Pick<TileShape, "lanes" | "columns" | "subgroups"> };
  readonly row: unknown;
  readonly decode: { readonly decode: Pick<DecodeShape, "columns" | "headDim"> };
  readonly "subgroup-matrix": {
    readonly matrix: Pick<SubgroupMatrixShape, "matrices" | "rows" | "headDim" | "columns">;
  };
  readonly quad: { readonly registers: Omit<RegistersShape, "output"> };
  readonly stream: { readonly registers: Omit<RegistersShape, "output"> };
}

/** The choice of the kernel K. */
export type ChoiceWith<K extends KernelName> = ChoiceOf<K> & SizesOf[K];

/** How a problem's output is computed. */
export type Choice = { readonly [K in KernelName]: ChoiceWith<K> }[KernelName];

/** Keys of a tile of a kernel that has tiles; keys that are worked on at once of others. */
export function keysOfTile(choice: Choice): number {
  switch (choice.kernel) {
    case "tile":
      return tileKeys(choice.tile.lanes);
    case "decode":
      return decodeThreads;
    case "subgroup-matrix":
      return matrixStep;
    case "row":
      return rowKeys;
    case "quad":
    case "stream":
      return choice.registers.keys;
  }
}

/**
 * The same choice, such that the order of a row's sums depends on nothing but the row and its keys: tiles start at
 * multiples of their size, keys are not split, and runs of them are summed by themselves, however many there are.
 */
export function withInvariantSums(choice: Choice): Choice {
  return { ...choice, splits: 1, keyGrain: keysOfTile(choice), invariant: true };
}

/** Fields that all choices share, except those whose rows are listed. */
export function commonly(
  problem: AttentionProblem,
  capabilities: Capabilities,
): Omit<ChoiceOf<KernelName>, "kernel" | "stack" | "rows" | "columns" | "splits"> {
  const stored = storages(problem, capabilities);
  return { ...stored, keyGrain: 1, invariant: false, listRows: [], short: null, measured: null };
}
