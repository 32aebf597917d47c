/**
 * Attention over keys and values that lie in the memory of other machines, reached over NATS.
 *
 * @module
 */
import type { Provider } from "@heed/core";
import { clusterProvider } from "./backend.js";
import { type ClusterOptions, readOptions } from "./options.js";

export type { ClusterOptions } from "./options.js";
export type { Credentials } from "./transport/nats.js";
export {
  type MessageHandler,
  type Transport,
  TransportError,
  type TransportFailure,
} from "./transport/transport.js";

/**
 * The cluster backend: its memory is that of the workers of a group, over which keys and values are spread.
 *
 * @throws InvalidInputError naming the option at fault
 */
export function cluster(options: ClusterOptions = {}): Provider {
  return clusterProvider(readOptions(options));
}
