import { nodeWorkerSource, webWorkerSource } from "./worker-source.js";

/** A worker that is ready. */
export interface SpawnedWorker {
  terminate(): void;
}

/** How long a worker may take to start, in ms: a policy that blocks it may never say so. */
const patience = 10_000;

/**
 * Starts a worker of {@link workerSource} and waits until it is ready. It does not keep the process
 * alive.
 *
 * @param data what the source needs
 * @throws the worker's error (rejects), or one that says what is missing
 */
export function spawnWorker(data: unknown): Promise<SpawnedWorker> {
  const node = nodeWorkerThreads();
  return node ? spawnInNode(node, data) : spawnInPage(data);
}

/** The part of node:worker_threads that is used; the package needs no types of Node. */
interface NodeWorkerThreads {
  readonly Worker: new (source: string, options: { eval: true; workerData: unknown }) => NodeWorker;
}

interface NodeWorker {
  once(event: string, listener: (value: unknown) => void): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

/** `process.getBuiltinModule` (Node 20.16) is no import, and so nothing that a bundler stumbles over. */
export function builtin<T>(name: string): T | null {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => T | undefined; versions?: { node?: string } };
  };
  return process?.getBuiltinModule?.(name) ?? null;
}

function nodeWorkerThreads(): NodeWorkerThreads | null {
  return builtin<NodeWorkerThreads>("node:worker_threads");
}

function spawnInNode({ Worker }: NodeWorkerThreads, data: unknown): Promise<SpawnedWorker> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(nodeWorkerSource, { eval: true, workerData: data });
    worker.once("message", () => {
      worker.unref();
      resolve({ terminate: () => void worker.terminate() });
    });
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the worker ended with code ${String(code)}`)));
  });
}

function spawnInPage(data: unknown): Promise<SpawnedWorker> {
  return new Promise((resolve, reject) => {
    if (typeof Worker !== "function") throw new Error("there is no Worker here");
    const url = URL.createObjectURL(new Blob([webWorkerSource], { type: "text/javascript" }));
    let worker: Worker;
    try {
      worker = new Worker(url);
    } catch (error) {
      URL.revokeObjectURL(url);
      throw error;
    }
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      URL.revokeObjectURL(url);
      then();
    };
    const fail = (reason: string): void =>
      settle(() => {
        worker.terminate();
        reject(new Error(reason));
      });
    const timer = setTimeout(() => fail(`it did not start within ${patience} ms`), patience);
    worker.onmessage = () => settle(() => resolve({ terminate: () => worker.terminate() }));
    worker.onerror = (event) =>
      fail(event.message || "it was blocked, perhaps by a content policy");
    worker.postMessage(data);
  });
}
