import type { AttentionOptions, AttentionProvider, BackendRecommendation } from "@heed/core";
import type { LearningStore } from "./learn/store.js";
import type { BackendName } from "./order.js";

export interface HeedOptions extends Omit<AttentionOptions, "backends" | "select"> {
  /**
   * Backends in order of preference: names, or providers where a backend needs options. Default:
   * `defaultOrder` of the environment.
   */
  readonly backends?: readonly (BackendName | AttentionProvider)[] | undefined;
  /**
   * `"auto"` (default): the first that is ready and supports a call, until calls show that another is
   * faster. `{ auto: { recommendation } }`: the same, starting with a recommendation of the benchmark instead of
   * the order alone. `"order"`, `"fastest"` or a recommendation: as in `@heed/core`, which learns nothing.
   */
  readonly select?: "auto" | { readonly auto: LearningOptions } | AttentionOptions["select"];
  /**
   * The place where `"auto"` keeps what it learned for later processes; null: nowhere. Default:
   * IndexedDB in pages and their workers, a file in the user's cache folder in Node, Deno and Bun, nowhere
   * else. It holds times of calls by their shapes, and names of devices and runtimes.
   */
  readonly store?: LearningStore | null | undefined;
  /** As in `@heed/core`. Default: `"silent"` without `backends`, else `"warn"`. */
  readonly fallback?: AttentionOptions["fallback"];
  /** As in `@heed/core`. Default `"on-demand"`. */
  readonly load?: AttentionOptions["load"];
  /** As in `@heed/core`. Default true, unless `fallback` is `"error"`. */
  readonly recover?: AttentionOptions["recover"];
}

/** Knowledge with which `select: { auto: … }` starts. */
export interface LearningOptions {
  /**
   * The order of backends by shapes, such as the benchmark writes with `--recommendation`. It decides the first calls of
   * a class of shapes that no times are remembered of, and the backend that it prefers is tried wherever no time of it is
   * known. Times of the application's own calls count for more. Default: none.
   */
  readonly recommendation?: BackendRecommendation | undefined;
}
