import { EventEmitter } from "node:events";
import { Worker } from "node:worker_threads";
import { wasm } from "@heed/backend-wasm";
import { describeProblem } from "@heed/core";
import { expect, test, vi } from "vitest";
import { startDelayMs } from "../src/threads/pool.js";
import { patience } from "../src/threads/spawn.js";
import { calls } from "./calls.js";

const threads = process.getBuiltinModule("node:worker_threads") as { Worker: typeof Worker };

test("no worker is left after dispose", async () => {
  const workers: Worker[] = [];
  let ended = 0;
  threads.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      workers.push(this);
      this.once("exit", () => {
        ended += 1;
      });
    }
  };
  try {
    const backend = await wasm({ threads: 4 }).load();
    await expect.poll(() => workers.length).toBe(3);
    const call = calls.heads;
    await (await backend.plan(describeProblem(call))).run(call);
    expect(ended).toBe(0);
    backend.dispose();
    backend.dispose();
    await expect.poll(() => ended).toBe(3);
  } finally {
    threads.Worker = Worker;
  }
});

test("a worker that never answers is given up: one thread, and the note says why", async () => {
  const ended: unknown[] = [];
  threads.Worker = class extends EventEmitter {
    unref() {}
    terminate() {
      ended.push(this);
    }
  } as never;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const backend = await wasm({ threads: 3 }).load();
    await vi.advanceTimersByTimeAsync(startDelayMs);
    await vi.advanceTimersByTimeAsync(patience - 1);
    expect(backend.info.notes?.join()).toContain("one thread: 2 more start");
    expect(ended).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(backend.info.threads).toBe(1);
    expect(backend.info.notes?.join()).toContain("one thread: a worker did not start within");
    expect(ended).toHaveLength(2);
    const call = calls.heads;
    await (await backend.plan(describeProblem(call))).run(call);
    backend.dispose();
  } finally {
    vi.useRealTimers();
    threads.Worker = Worker;
  }
});

test("where workers cannot start, it runs on one thread and says why", async () => {
  threads.Worker = class {
    constructor() {
      throw new Error("workers are forbidden here");
    }
  } as never;
  try {
    const backend = await wasm({ threads: 4 }).load();
    await expect
      .poll(() => backend.info.notes?.join())
      .toContain("one thread: workers are forbidden here");
    expect(backend.info.threads).toBe(1);
    const call = calls.heads;
    await (await backend.plan(describeProblem(call))).run(call);
    backend.dispose();
  } finally {
    threads.Worker = Worker;
  }
});
