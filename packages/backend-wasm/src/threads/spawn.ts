import { nodeWorkerSource, webWorkerSource } from "./worker-source.js";

/** A worker that is ready. */
export interface SpawnedWorker {
  terminate(): void;
}

/** How long a worker may take to start, in ms: a runtime or policy that blocks it may never say so. */
export const patience = 10_000;

const late = `a worker did not start within ${patience} ms`;

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
    const fail = (reason: unknown): void => {
      clearTimeout(timer);
      void worker.terminate();
      reject(reason);
    };
    const timer = setTimeout(() => fail(new Error(late)), patience);
    worker.once("message", () => {
      clearTimeout(timer);
      worker.unref();
      resolve({ terminate: () => void worker.terminate() });
    });
    worker.once("error", fail);
    worker.once("exit", (code) => fail(new Error(`a worker ended with code ${String(code)}`)));
  });
}

const blocked =
  "the worker was blocked: a content policy has to allow it with the source worker-src blob:";

function spawnInPage(data: unknown): Promise<SpawnedWorker> {
  return new Promise((resolve, reject) => {
    if (typeof Worker !== "function") throw new Error("there is no Worker here");
    const url = URL.createObjectURL(new Blob([webWorkerSource], { type: "text/javascript" }));
    let worker: Worker;
    try {
      worker = new Worker(url);
    } catch (cause) {
      URL.revokeObjectURL(url);
      const { name } = cause as { name?: string };
      throw name === "SecurityError" ? new Error(blocked, { cause }) : cause;
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
    const timer = setTimeout(() => fail(late), patience);
    worker.onmessage = () => settle(() => resolve({ terminate: () => worker.terminate() }));
    // An event without a message is a worker that never ran: its source was not loaded.
    worker.onerror = (event) => fail(event.message ? `a worker failed: ${event.message}` : blocked);
    worker.postMessage(data);
  });
}
