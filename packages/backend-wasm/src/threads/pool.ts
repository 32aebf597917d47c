import type { Kernels } from "../module.js";
import * as control from "../shared/control.js";
import { type SpawnedWorker, spawnWorker } from "./spawn.js";

/** A job, ready in memory. */
export interface SharedJob {
  readonly descriptor: number;
  readonly items: number;
  /** Threads that may take part; there is a workspace for each. */
  readonly threads: number;
  /** Address of the calling thread's workspace; the workers' follow. */
  readonly workspace: number;
  readonly workspaceBytes: number;
}

/** Milliseconds until workers are started that no call has asked for: loading, with a self-test, is over then. */
export const startDelayMs = 50;

/**
 * Workers over one shared memory. The calling thread takes items of a job like every worker, and a
 * worker that has not woken up yet has taken none: no thread waits for another but for the last items.
 * Idle workers sleep.
 */
export class ThreadPool {
  /** Number of threads, the calling one among them. */
  readonly threads: number;
  /** Settles when all workers run; rejects with the reason why they do not, after ending them. */
  readonly ready: Promise<void>;
  #settle: (started: Promise<unknown>) => void = () => {};
  readonly #module: WebAssembly.Module;
  readonly #memory: WebAssembly.Memory;
  readonly #words: Int32Array;
  readonly #kernels: Kernels;
  readonly #workers: SpawnedWorker[] = [];
  readonly #mayWait: boolean = mayWait();
  #state: "waiting" | "starting" | "ready" | "ended" | "broken" = "waiting";

  /**
   * @param kernels the calling thread's instance over the memory
   * @param threads number of threads, the calling one among them
   */
  constructor(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    kernels: Kernels,
    threads: number,
  ) {
    this.threads = threads;
    this.#module = module;
    this.#memory = memory;
    this.#kernels = kernels;
    this.#words = new Int32Array(memory.buffer, control.controlAddress, control.controlBytes / 4);
    Atomics.store(this.#words, control.nextItem, control.noItem);
    this.ready = new Promise<unknown>((resolve) => {
      this.#settle = resolve;
    }).then(
      () => {},
      (reason) => {
        this.dispose();
        throw reason;
      },
    );
    // Whoever does not ask still gets no unhandled rejection.
    this.ready.catch(() => {});
  }

  /** Starts the workers in a while, unless `start` is called before. */
  startSoon(): void {
    const timer = setTimeout(() => this.start(), startDelayMs);
    // Node's timers are objects, and keep the process alive.
    (timer as { unref?: () => void }).unref?.();
  }

  /** Starts the workers, once, without waiting for them. `ready` says what becomes of them. */
  start(): void {
    if (this.#state !== "waiting") return;
    this.#state = "starting";
    try {
      for (let thread = 1; thread < this.threads; thread++) {
        this.#workers.push(
          spawnWorker({
            module: this.#module,
            memory: this.#memory,
            thread,
            control: control.controlAddress,
            readyCount: control.readyCount,
            wakeCount: control.wakeCount,
            doneCount: control.doneCount,
            failed: control.failed,
            quit: control.quit,
          }),
        );
      }
      this.#settle(Promise.all(this.#workers.map(({ started }) => started)));
    } catch (error) {
      this.#settle(Promise.reject(error));
    }
  }

  /** Whether all workers run. Workers tell it in shared memory, so that no turn of the event loop is needed. */
  get isReady(): boolean {
    if (this.#state === "starting") {
      const ready = Atomics.load(this.#words, control.readyCount);
      if (ready === this.threads - 1) this.#state = "ready";
    }
    return this.#state === "ready";
  }

  /** Whether a kernel has trapped, so that memory may hold anything and nothing can be computed any more. */
  get isBroken(): boolean {
    return this.#state === "broken";
  }

  /**
   * Computes a job; when it returns, all of it is done. The pool has to be ready.
   *
   * @throws Error where a kernel trapped, which only a bug of ours can make it do. The workers end:
   *   nobody knows what they had still to write.
   */
  run(job: SharedJob): void {
    if (!this.isReady) throw new Error("the wasm backend's workers have ended; load it again");
    try {
      this.#compute(job);
    } catch (cause) {
      this.dispose();
      this.#state = "broken";
      throw new Error("a kernel of the wasm backend trapped; load it again", { cause });
    }
  }

  #compute(job: SharedJob): void {
    const words = this.#words;
    // The last job was closed when it ended: nobody can take an item while the words change.
    words[control.descriptorAddress] = job.descriptor;
    words[control.workspaceAddress] = job.workspace;
    words[control.workspaceStride] = job.workspaceBytes;
    Atomics.store(words, control.threadCount, job.threads);
    Atomics.store(words, control.doneCount, 0);
    Atomics.store(words, control.itemCount, job.items);
    const jobs = (Atomics.load(words, control.nextItem) >>> control.itemBits) + 1;
    Atomics.store(words, control.nextItem, (jobs << control.itemBits) | 0);
    this.#wake();
    this.#kernels.share(0);
    for (;;) {
      const done = Atomics.load(words, control.doneCount);
      if (done < 0) throw new Error("it trapped in a worker");
      if (done === job.items) break;
      // A page's main thread may not sleep. What is left to wait for is less than one item.
      if (this.#mayWait) Atomics.wait(words, control.doneCount, done);
    }
    Atomics.or(words, control.nextItem, control.noItem);
  }

  /** Ends the workers, also those that have not started yet. */
  dispose(): void {
    this.#state = "ended";
    Atomics.store(this.#words, control.quit, 1);
    this.#wake();
    for (const worker of this.#workers) worker.terminate();
  }

  #wake(): void {
    Atomics.add(this.#words, control.wakeCount, 1);
    Atomics.notify(this.#words, control.wakeCount);
  }
}

/** Whether this thread may sleep: not so in a page's main thread. */
function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}
