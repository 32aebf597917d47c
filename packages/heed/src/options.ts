import type { AttentionOptions, AttentionProvider } from "@heed/core";
import type { BackendName } from "./order.js";

export interface HeedOptions extends Omit<AttentionOptions, "backends"> {
  /**
   * Backends in order of preference: names, or providers where a backend needs options. Default:
   * `defaultOrder` of the environment.
   */
  readonly backends?: readonly (BackendName | AttentionProvider)[] | undefined;
  /** As in `@heed/core`. Default: `"silent"` without `backends`, else `"warn"`. */
  readonly fallback?: AttentionOptions["fallback"];
  /** As in `@heed/core`. Default `"on-demand"`. */
  readonly load?: AttentionOptions["load"];
  /** As in `@heed/core`. Default true, unless `fallback` is `"error"`. */
  readonly recover?: AttentionOptions["recover"];
}
