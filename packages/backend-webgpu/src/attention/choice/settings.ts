import type { Lanes } from "../wgsl/products.js";

/** Keys split into so many parts, for more workgroups; merged afterwards. */
interface Split {
  readonly splits: number;
}

/** Sizes of the kernel `tile`. */
export interface TileSettings extends Split {
  readonly kernel: "tile";
  /** Threads along the keys: a tile has four times as many keys. */
  readonly lanes: Lanes;
  /** Value columns of a workgroup. */
  readonly columns: 32 | 64 | 128;
  /** Whether rows are reduced by shuffles of subgroups. */
  readonly subgroups: boolean;
}

/** Sizes of the kernel `row`. */
export interface RowSettings extends Split {
  readonly kernel: "row";
}

/** Sizes of the kernel `decode`. */
export interface DecodeSettings extends Split {
  readonly kernel: "decode";
  /** Value columns of a workgroup. */
  readonly columns: 64 | 128 | 256;
}

/** Sizes of the kernel `subgroup-matrix`. */
export interface SubgroupMatrixSettings extends Split {
  readonly kernel: "subgroup-matrix";
  /** Query rows of a workgroup. */
  readonly rows: 32 | 64;
  /** Value columns of a workgroup. */
  readonly columns: 32 | 64 | 128;
}

/** Sizes of the kernel `quad`. */
export interface QuadSettings extends Split {
  readonly kernel: "quad";
  /** Query rows of an invocation. */
  readonly rows: 4 | 8 | 16;
  /** Keys that are worked on at once. */
  readonly keys: 1 | 2;
  /** Whether the four invocations of a workgroup share the loads of keys, by a subgroup's quads. */
  readonly subgroups: boolean;
}

/** Sizes of the kernel `stream`, whose splits are a multiple of four: an invocation has one. */
export interface StreamSettings extends Split {
  readonly kernel: "stream";
  /** Query rows of an invocation. */
  readonly rows: 4 | 8;
}

/**
 * The decisions that `choose` makes by rule and that measuring may make instead, as plain data: a kernel and its
 * sizes. Everything else about a choice follows from the problem and the device.
 */
export type Settings =
  | TileSettings
  | RowSettings
  | DecodeSettings
  | SubgroupMatrixSettings
  | QuadSettings
  | StreamSettings;

/** Sizes that are given; those left out are chosen by rule. */
export type Given<S extends Settings> = Partial<Omit<S, "kernel">>;

/** A choice that was measured to be the fastest of those tried. */
export interface Measured {
  readonly settings: Settings;
  /** Time of the rule's choice divided by this one's; 1 where the rule's choice was the fastest. */
  readonly gain: number;
  /** The table that it is from, in words, such as "a table of the application". */
  readonly source: string;
}
