import type { KnownFeeds } from "./attention/feeds.js";
import type { OnnxMemory } from "./device/memory.js";
import type { LoadedRuntime } from "./runtime/load.js";
import type { Sessions } from "./runtime/sessions.js";

/** A loaded runtime with the sessions and the memory of one backend, and the tensors that it has fed. */
export interface OnnxContext {
  readonly loaded: LoadedRuntime;
  readonly sessions: Sessions;
  readonly knownFeeds: KnownFeeds;
  /** Memory of the device; null where onnxruntime takes no tensors that are on it. */
  readonly memory: OnnxMemory | null;
}
