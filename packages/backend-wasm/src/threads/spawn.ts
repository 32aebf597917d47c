import { nodeWorkerSource, webWorkerSource } from "./worker-source.js";

/** A worker, perhaps still on its way. It does not keep the process alive. */
export interface SpawnedWorker {
  /** Settles when the worker runs; rejects with the reason why it does not. */
  readonly started: Promise<void>;
  terminate(): void;
}

/** How long a worker may take to start, in ms: a runtime or policy that blocks it may never say so. */
export const patience = 10_000;

/**
 * Starts a worker that runs the text in worker-source.ts.
 *
 * @param data what that text needs
 * @throws Error where no worker can be made at all
 */
export function spawnWorker(data: unknown): SpawnedWorker {
  const node = builtin<NodeWorkerThreads>("node:worker_threads");
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

/** A module of Node's own. `process.getBuiltinModule` (Node 20.16) is no import that a bundler would follow. */
export function builtin<T>(name: string): T | null {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => T | undefined; versions?: { node?: string } };
  };
  return process?.getBuiltinModule?.(name) ?? null;
}

function spawnInNode({ Worker }: NodeWorkerThreads, data: unknown): SpawnedWorker {
  const worker = new Worker(nodeWorkerSource, { eval: true, workerData: data });
  worker.unref();
  return {
    terminate: () => void worker.terminate(),
    started: withinPatience((resolve, reject) => {
      worker.once("message", () => resolve());
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`a worker ended with code ${String(code)}`)));
    }),
  };
}

const blocked =
  "the worker was blocked: a content policy has to allow it with the source worker-src blob:";

function spawnInPage(data: unknown): SpawnedWorker {
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
  worker.postMessage(data);
  const started = withinPatience((resolve, reject) => {
    worker.onmessage = () => resolve();
    // An event without a message is a worker that never ran: its source was not loaded.
    worker.onerror = ({ message }) =>
      reject(new Error(message ? `a worker failed: ${message}` : blocked));
  });
  const revoke = (): void => URL.revokeObjectURL(url);
  started.then(revoke, revoke);
  return { started, terminate: () => worker.terminate() };
}

type Settle = (resolve: () => void, reject: (reason: unknown) => void) => void;

/** A promise that rejects if it is not settled after {@link patience}. */
function withinPatience(settle: Settle): Promise<void> {
  let timer: ReturnType<typeof setTimeout>;
  const promise = new Promise<void>((resolve, reject) => {
    const late = () => reject(new Error(`a worker did not start within ${patience} ms`));
    timer = setTimeout(late, patience);
    // Node's timers are objects, and keep the process alive.
    (timer as { unref?: () => void }).unref?.();
    settle(resolve, reject);
  });
  const clear = (): void => clearTimeout(timer);
  promise.then(clear, clear);
  return promise;
}
