import { type AttentionInputs, createAttention, type Provider, reference, zeros } from "@heed/core";
import { describe, expect, test } from "vitest";
import { inWorker } from "../src/worker/backend.js";
import type { Thread } from "../src/worker/thread.js";

/** The fate of calls whose worker does not start, crashes, or computes nonsense. */

class FakeThread implements Thread {
  terminated = false;
  readonly requests: { inputs: AttentionInputs }[] = [];
  tell: (data: unknown) => void = () => {};
  fail: (message: string) => void = () => {};
  readonly #answer: (thread: FakeThread, count: number) => void;
  readonly #starts: boolean;

  constructor(starts: boolean, answer: (thread: FakeThread, count: number) => void) {
    this.#starts = starts;
    this.#answer = answer;
  }

  postMessage(message: object): void {
    queueMicrotask(() => {
      if ("options" in message) {
        if (this.#starts) this.tell({ threads: 2 });
        else this.fail("blocked by the content policy");
        return;
      }
      this.requests.push(message as { inputs: AttentionInputs });
      this.#answer(this, this.requests.length);
    });
  }

  onMessage(listener: (data: unknown) => void): void {
    this.tell = listener;
  }

  onFailure(listener: (message: string) => void): void {
    this.fail = listener;
  }

  terminate(): void {
    this.terminated = true;
  }
}

const t = zeros("float32", [1, 4, 256, 64]);
const long = { query: t, key: t, value: t };
const named = (name: "js"): Promise<Provider> =>
  Promise.resolve({ name, load: () => reference().load() });

async function on(
  answer: (thread: FakeThread, count: number) => void,
  { starts = true, recover = false } = {},
) {
  const threads: FakeThread[] = [];
  const provider = inWorker(
    "js",
    {},
    { local: () => named("js"), alone: () => named("js") },
    () => {
      const thread = new FakeThread(starts, answer);
      threads.push(thread);
      return thread;
    },
  );
  const attention = await createAttention({
    backends: [provider, reference()],
    recover,
    fallback: "silent",
  });
  return { attention, threads };
}

const answer = (thread: FakeThread): void =>
  thread.tell({ outputs: { output: zeros("float32", [1, 4, 256, 64]) } });

describe("a worker", () => {
  test("that does not start leaves the calling thread, which says so", async () => {
    const { attention, threads } = await on(answer, { starts: false });
    expect(attention.backends[0]).toMatchObject({
      info: { notes: [expect.stringMatching(/no worker.*content policy/)] },
    });
    expect((await attention.run(long)).backend).toBe("js");
    expect(threads[0]?.terminated).toBe(true);
    await attention.dispose();
  });

  test("that crashes rejects its call, and the next call gets another", async () => {
    let crashes = true;
    const { attention, threads } = await on((thread) => {
      if (crashes) thread.fail("out of stack");
      else answer(thread);
    });
    await expect(attention.run(long)).rejects.toMatchObject({
      code: "backend-error",
      message: expect.stringMatching(/out of stack/),
    });
    crashes = false;
    expect((await attention.run(long)).output.shape).toEqual([1, 4, 256, 64]);
    expect(threads.map(({ terminated }) => terminated)).toEqual([true, false]);
    await attention.dispose();
    expect(threads[1]?.terminated).toBe(true);
  });

  test("that crashes is no end of the call where recovery is on", async () => {
    const { attention } = await on((thread) => thread.fail("out of stack"), { recover: true });
    const told: string[] = [];
    attention.on("fallback", ({ to, reasons }) => told.push(`${to}: ${reasons[0]?.message}`));
    expect((await attention.run(long)).backend).toBe("reference");
    expect(told[0]).toMatch(/^reference: .*out of stack/);
    await attention.dispose();
  });

  test("that fails a call passes its error on", async () => {
    const { attention } = await on((thread, count) =>
      thread.tell({ failure: { message: "full", code: count === 1 ? "out-of-memory" : null } }),
    );
    await expect(attention.run(long)).rejects.toMatchObject({ code: "out-of-memory" });
    await expect(attention.run(long)).rejects.toMatchObject({ code: "backend-error" });
    await attention.dispose();
  });

  test("is stopped with its call, and calls that wait go to the next", async () => {
    let silent = true;
    const { attention, threads } = await on((thread) => {
      if (!silent) answer(thread);
    });
    await attention.prepare(long);
    const [stop, never] = [new AbortController(), new AbortController()];
    const first = attention.run(long, { signal: stop.signal });
    const dropped = attention.run(long, { signal: never.signal });
    const second = attention.run(long);
    never.abort(new Error("second thoughts"));
    await expect(dropped).rejects.toThrow("second thoughts");
    await new Promise((resolve) => setTimeout(resolve, 1));
    silent = false;
    stop.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    expect((await second).output.shape).toEqual([1, 4, 256, 64]);
    expect(threads.map(({ terminated }) => terminated)).toEqual([true, false]);
    expect(threads.map(({ requests }) => requests.length)).toEqual([1, 1]);
    await attention.dispose();
  });
});
