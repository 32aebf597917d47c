import type { KnownFeeds } from "./attention/feeds.js";
import type { LoadedRuntime } from "./runtime/load.js";
import type { Sessions } from "./runtime/sessions.js";

/** A loaded runtime together with the sessions of one backend and the tensors that it has fed to them. */
export interface OnnxContext {
  readonly loaded: LoadedRuntime;
  readonly sessions: Sessions;
  readonly knownFeeds: KnownFeeds;
}
