/**
 * The worker's side of a cluster, for programs that start workers by themselves.
 *
 * @module
 */
export type { Beat } from "./message/requests.js";
export { connectNats, type NatsOptions } from "./transport/nats.js";
export { Worker, type WorkerOptions } from "./worker/worker.js";
