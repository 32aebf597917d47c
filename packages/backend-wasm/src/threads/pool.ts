import * as control from "../control.js";
import type { Kernels } from "../module.js";
import { type SpawnedWorker, spawnWorker } from "./spawn.js";

/** A job, ready in memory. */
export interface SharedJob {
  readonly descriptor: number;
  readonly items: number;
  /** Threads that may take part; there is a workspace for each. */
  readonly threads: number;
  /** Of the calling thread; the workers' follow. */
  readonly workspace: number;
  readonly workspaceBytes: number;
}

/**
 * Workers over one shared memory. The calling thread takes items of a job like every worker, and a
 * worker that has not woken up yet has taken none: nobody waits for anybody but for the last items.
 * Idle workers sleep.
 */
export class ThreadPool {
  readonly #words: Int32Array;
  readonly #kernels: Kernels;
  readonly #workers: readonly SpawnedWorker[];
  readonly #mayWait: boolean;
  #ended = false;

  private constructor(memory: WebAssembly.Memory, kernels: Kernels, workers: SpawnedWorker[]) {
    this.#words = controlWords(memory);
    this.#kernels = kernels;
    this.#workers = workers;
    this.#mayWait = mayWait();
  }

  /**
   * @param kernels the calling thread's instance over the memory
   * @param threads with the calling one
   * @throws why a worker does not start (rejects); none is left then
   */
  static async start(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    kernels: Kernels,
    threads: number,
  ): Promise<ThreadPool> {
    Atomics.store(controlWords(memory), control.nextItem, control.noItem);
    const spawned = await Promise.allSettled(
      Array.from({ length: threads - 1 }, (_, i) =>
        spawnWorker({
          module,
          memory,
          thread: i + 1,
          control: control.controlAddress,
          wakeCount: control.wakeCount,
          doneCount: control.doneCount,
          failed: control.failed,
          quit: control.quit,
        }),
      ),
    );
    const workers = spawned.flatMap((s) => (s.status === "fulfilled" ? [s.value] : []));
    const pool = new ThreadPool(memory, kernels, workers);
    const failed = spawned.find((s) => s.status === "rejected");
    if (failed) {
      pool.dispose();
      throw failed.reason;
    }
    return pool;
  }

  /** Threads that compute, with the calling one. */
  get threads(): number {
    return this.#workers.length + 1;
  }

  /**
   * Computes a job; when it returns, all of it is done.
   *
   * @throws Error where a kernel trapped, which only a bug of ours can make it do. The workers end:
   *   nobody knows what they had still to write.
   */
  run(job: SharedJob): void {
    if (this.#ended) throw new Error("the wasm backend's workers have ended; load it again");
    try {
      this.#compute(job);
    } catch (cause) {
      this.dispose();
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

  /** Ends the workers. */
  dispose(): void {
    this.#ended = true;
    Atomics.store(this.#words, control.quit, 1);
    this.#wake();
    for (const worker of this.#workers) worker.terminate();
  }

  #wake(): void {
    Atomics.add(this.#words, control.wakeCount, 1);
    Atomics.notify(this.#words, control.wakeCount);
  }
}

function controlWords(memory: WebAssembly.Memory): Int32Array {
  return new Int32Array(memory.buffer, control.controlAddress, control.controlBytes / 4);
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
