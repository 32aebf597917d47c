import type { AttentionOptions, AttentionProvider } from "@heed/core";
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
   * faster. `"order"`, `"fastest"` or a recommendation: as in `@heed/core`.
   */
  readonly select?: "auto" | AttentionOptions["select"];
  /**
   * The place where `"auto"` keeps what it learned for later processes; null: nowhere. Default:
   * localStorage in pages, a file in the user's cache folder in Node, Deno and Bun, nowhere else. It holds
   * times of calls by their shapes, and names of devices and runtimes.
   */
  readonly store?: LearningStore | null | undefined;
  /** As in `@heed/core`. Default: `"silent"` without `backends`, else `"warn"`. */
  readonly fallback?: AttentionOptions["fallback"];
  /** As in `@heed/core`. Default `"on-demand"`. */
  readonly load?: AttentionOptions["load"];
  /** As in `@heed/core`. Default true, unless `fallback` is `"error"`. */
  readonly recover?: AttentionOptions["recover"];
}
