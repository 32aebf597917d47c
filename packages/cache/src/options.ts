import { describeValue, InvalidInputError, type RotaryInputs } from "@heed/core";
import { checkNames } from "@heed/core/options";

/** How keys are rotated as they come in: the options of the operation rotary that say no position. */
export type CacheRotary = Pick<
  RotaryInputs,
  "theta" | "inverseFrequencies" | "cos" | "sin" | "rotaryDim" | "interleaved"
>;

/** Storage of keys and values. */
export type CacheDType = "float32" | "float16" | "int8";

export interface CacheOptions {
  /**
   * - `"static"` (default): room for `capacity` tokens of each batch entry.
   * - `"rolling"`: the last tokens of each entry, as many as calls look back, and the first `keep`.
   * - `"paged"`: pages of `pageSize` tokens from one pool, which forks and batch entries share.
   */
  readonly kind?: "static" | "rolling" | "paged" | undefined;
  /** Batch entries, ≥ 1. Default 1. */
  readonly batch?: number | undefined;
  /** Heads of keys and values, ≥ 1. */
  readonly kvHeads: number;
  /** Size of a key, ≥ 1. */
  readonly headDim: number;
  /** Size of a value, ≥ 1. Default `headDim`. */
  readonly valueDim?: number | undefined;
  /**
   * Tokens, ≥ 1: of each batch entry (static, rolling), or of the whole pool (paged, rounded up to whole
   * pages). A rolling cache has room for `keep + window + 1` at least; what goes beyond is how many more
   * rows may be appended and attended to at once, and how many tokens can be taken back.
   */
  readonly capacity: number;
  /** Default `"float32"`. int8 has one scale for each token and head. */
  readonly dtype?: CacheDType | undefined;
  /** Rolling, required: a query at position p sees keys from p − `window` on. An integer ≥ 0. */
  readonly window?: number | undefined;
  /** Rolling: first tokens that every later query sees (StreamingLLM, arXiv:2309.17453). Default 0. */
  readonly keep?: number | undefined;
  /** Paged: tokens of a page. Default 16. */
  readonly pageSize?: number | undefined;
  /** Paged: most tokens of one batch entry. Default: the whole pool. */
  readonly maxLength?: number | undefined;
  /** Keys are rotated as they come in, each at its own position. Default: they are stored as given. */
  readonly rotary?: CacheRotary | undefined;
  /** Name of the backend whose memory to use. Default: the one that would run the calls. */
  readonly backend?: string | undefined;
}

/** Options with everything optional resolved. */
export interface CacheSizes {
  readonly kind: "static" | "rolling" | "paged";
  readonly batch: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly capacity: number;
  readonly dtype: CacheDType;
  /** 0 unless rolling. */
  readonly window: number;
  readonly keep: number;
  /** 0 unless paged. */
  readonly pageSize: number;
  readonly maxLength: number;
}

const names: ReadonlySet<string> = new Set<keyof CacheOptions>([
  "kind",
  "batch",
  "kvHeads",
  "headDim",
  "valueDim",
  "capacity",
  "dtype",
  "window",
  "keep",
  "pageSize",
  "maxLength",
  "rotary",
  "backend",
]);

const rotaryNames: ReadonlySet<string> = new Set<keyof CacheRotary>([
  "theta",
  "inverseFrequencies",
  "cos",
  "sin",
  "rotaryDim",
  "interleaved",
]);

/** Options that one kind alone has. */
const ofKind: Readonly<Record<string, CacheSizes["kind"]>> = {
  window: "rolling",
  keep: "rolling",
  pageSize: "paged",
  maxLength: "paged",
};

/** Positions are 32-bit integers, and some of them mark rows that nobody sees. */
const mostTokens = 2 ** 30;

/**
 * Checks options, but for what `rotary` holds.
 *
 * @throws InvalidInputError naming the option at fault
 */
export function checkOptions(options: CacheOptions): CacheSizes {
  checkNames("options", options, names);
  if (options.rotary !== undefined) checkNames("rotary", options.rotary, rotaryNames);
  const { kind = "static", dtype = "float32", backend } = options;
  oneOf("kind", kind, ["static", "rolling", "paged"]);
  oneOf("dtype", dtype, ["float32", "float16", "int8"]);
  if (backend !== undefined && typeof backend !== "string") {
    throw new InvalidInputError("backend", "a backend's name", describeValue(backend));
  }
  for (const [name, only] of Object.entries(ofKind)) {
    const value = options[name as keyof CacheOptions];
    if (value !== undefined && kind !== only) {
      throw new InvalidInputError(name, `nothing, in a ${kind} cache`, describeValue(value));
    }
  }
  const { batch = 1, kvHeads, headDim, capacity, keep = 0, pageSize = 16 } = options;
  const { valueDim = headDim, window } = options;
  const counts = { batch, kvHeads, headDim, valueDim, capacity, pageSize };
  for (const [name, value] of Object.entries(counts)) checkCount(name, value, 1);
  checkCount("keep", keep, 0);
  if (kind === "rolling") checkCount("window", window, 0);
  const sizes = { kind, batch, kvHeads, headDim, valueDim, dtype };
  if (kind === "rolling") {
    const most = Math.max(capacity, keep + (window as number) + 1);
    return { ...sizes, capacity: most, window: window as number, keep, pageSize: 0, maxLength: 0 };
  }
  if (kind === "static") {
    return { ...sizes, capacity, window: 0, keep: 0, pageSize: 0, maxLength: capacity };
  }
  const tokens = Math.ceil(capacity / pageSize) * pageSize;
  const { maxLength = tokens } = options;
  checkCount("maxLength", maxLength, 1);
  return { ...sizes, capacity: tokens, window: 0, keep: 0, pageSize, maxLength };
}

function checkCount(argument: string, value: unknown, least: number): void {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= mostTokens) {
    return;
  }
  throw new InvalidInputError(argument, `an integer ≥ ${least}`, describeValue(value));
}

function oneOf(argument: string, value: unknown, allowed: readonly string[]): void {
  if (allowed.includes(value as string)) return;
  const expected = `one of ${allowed.map((name) => JSON.stringify(name)).join(", ")}`;
  throw new InvalidInputError(argument, expected, describeValue(value));
}
