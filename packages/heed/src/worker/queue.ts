import type { AbortSignalLike, HostTensor } from "@heed/core";
import type { Request, Response, Start, Started } from "./messages.js";
import { transferable } from "./messages.js";
import type { Thread } from "./thread.js";

/** A call that waits for the worker, or is computed by it. */
interface Job {
  /** Copies the inputs for the worker, when their turn comes. */
  readonly inputs: () => { readonly inputs: object; readonly tensors: readonly HostTensor[] };
  readonly resolve: (response: Response) => void;
  readonly reject: (error: Error) => void;
}

/** The worker ended, by itself or since its call was aborted. */
export class ThreadEndedError extends Error {}

/** Milliseconds that a worker may take to start. */
const longestStart = 10_000;

/** One worker, which computes one call after the other, and is replaced when it crashes or is stopped. */
export class ThreadQueue {
  readonly #start: () => Thread;
  readonly #options: object;
  readonly #waiting: Job[] = [];
  #thread: Thread | null = null;
  #starting: Promise<number> | null = null;
  #current: Job | null = null;
  #closed = false;

  /** @param options of the worker's backend */
  constructor(start: () => Thread, options: object) {
    this.#start = start;
    this.#options = options;
  }

  /**
   * Starts the worker unless it runs.
   *
   * @returns threads of its backend
   * @throws Error (rejects) saying why there is none
   */
  ready(): Promise<number> {
    this.#starting ??= this.#launch();
    return this.#starting;
  }

  /** @throws ThreadEndedError (rejects) if the worker ends before the answer */
  run(inputs: Job["inputs"], signal: AbortSignalLike | undefined): Promise<Response> {
    return new Promise((resolve, reject) => {
      const stop = (): void => this.#stop(job);
      const settle = (): void => signal?.removeEventListener("abort", stop);
      const job: Job = {
        inputs,
        resolve: (response) => {
          settle();
          resolve(response);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      signal?.addEventListener("abort", stop);
      this.#waiting.push(job);
      void this.#next();
    });
  }

  close(): void {
    this.#closed = true;
    const error = new ThreadEndedError("the backend has been disposed");
    for (const job of this.#waiting.splice(0)) job.reject(error);
    this.#end(error);
  }

  async #next(): Promise<void> {
    if (this.#current !== null || this.#waiting.length === 0 || this.#closed) return;
    const job = this.#waiting.shift() as Job;
    this.#current = job;
    try {
      await this.ready();
      // It may have been stopped meanwhile.
      if (this.#current !== job) return;
      const { inputs, tensors } = job.inputs();
      const request: Request = { inputs };
      (this.#thread as Thread).postMessage(request, transferable(tensors));
    } catch (thrown) {
      if (this.#current === job) this.#current = null;
      job.reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      void this.#next();
    }
  }

  /** Ends the computation of a call that nobody waits for. */
  #stop(job: Job): void {
    const error = new ThreadEndedError("the call was aborted");
    const place = this.#waiting.indexOf(job);
    if (place >= 0) this.#waiting.splice(place, 1);
    if (this.#current === job) this.#end(error);
    else job.reject(error);
    void this.#next();
  }

  /** Ends the worker, and the call that it computes; the next call starts another. */
  #end(error: Error): void {
    const [thread, job] = [this.#thread, this.#current];
    this.#thread = null;
    this.#starting = null;
    this.#current = null;
    thread?.terminate();
    job?.reject(error);
  }

  #launch(): Promise<number> {
    return new Promise((resolve, reject) => {
      const thread = this.#start();
      this.#thread = thread;
      const timer = setTimeout(() => fail("it does not start"), longestStart);
      const fail = (message: string): void => {
        if (this.#thread !== thread) return;
        clearTimeout(timer);
        const error = new ThreadEndedError(`the worker failed: ${message}`);
        this.#end(error);
        reject(error);
        void this.#next();
      };
      thread.onFailure(fail);
      thread.onMessage((data) => {
        if (this.#thread !== thread) return;
        if (this.#isStarted(data as Started | Response)) {
          clearTimeout(timer);
          if ("threads" in (data as object)) resolve((data as { threads: number }).threads);
          else fail((data as { failure: { message: string } }).failure.message);
          return;
        }
        const job = this.#current;
        this.#current = null;
        job?.resolve(data as Response);
        void this.#next();
      });
      const start: Start = { options: this.#options };
      thread.postMessage(start, []);
    });
  }

  #isStarted(data: Started | Response): boolean {
    return "threads" in data || ("failure" in data && !("code" in data.failure));
  }
}
