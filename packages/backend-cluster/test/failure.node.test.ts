import { type Backend, isHeedError } from "@heed/core";
import { afterEach, expect, test } from "vitest";
import { kinds } from "../src/message/layout.js";
import { CheckedCache, numbers, randomTensor } from "./calls.js";
import { type Group, startGroup } from "./group.js";

/** Byte of a message that says its kind. */
const kindAt = 5;
/** Farther from the reference than rounding brings anybody. */
const tolerance = 1e-5;

let group: Group;
let backend: Backend;
afterEach(async () => {
  for (const cache of caches.splice(0)) cache.dispose();
  backend.dispose();
  await group.close();
});
const caches: CheckedCache[] = [];

async function start(workers: number, replicas: number, deadline = 2000): Promise<CheckedCache> {
  group = await startGroup(workers);
  backend = await group.provider({ replicas, deadline }).load();
  const cache = new CheckedCache(backend, [2, 2, 32, 8]);
  caches.push(cache);
  return cache;
}

const query = randomTensor(numbers(7), [2, 4, 1, 8]);

/** Appends tokens and attends to them; every answer has to be exact. */
async function decode(cache: CheckedCache, steps: number, seed = 1): Promise<void> {
  const next = numbers(seed);
  for (let step = 0; step < steps; step++) {
    await cache.append(next);
    expect((await cache.attend(query)).error).toBeLessThan(tolerance);
  }
}

test("messages that come twice or late change nothing", async () => {
  const cache = await start(3, 2);
  const next = numbers(3);
  group.network.onRequest = () => ({ twice: next() > 0, delay: next() > 0.5 ? 5 : 0 });
  group.network.onAnswer = () => ({ twice: next() > 0, delay: next() > 0.5 ? 5 : 0 });
  await decode(cache, 12);
});

test("messages that are lost are repeated", async () => {
  const cache = await start(2, 1, 30_000);
  await decode(cache, 2);
  let dropped = 0;
  group.network.onRequest = () => ({ lost: dropped++ % 5 === 4 });
  await decode(cache, 3, 2);
  expect(dropped).toBeGreaterThan(5);
});

test("a write that was repeated after a later one is not done again", async () => {
  const cache = await start(1, 1);
  const written: { subject: string; bytes: Uint8Array }[] = [];
  group.network.onRequest = (subject, bytes) => {
    if (bytes[kindAt] === kinds.write) written.push({ subject, bytes: bytes.slice() });
    return {};
  };
  await decode(cache, 3);
  expect(written).toHaveLength(6);
  const worker = group.workers[0];
  // Writes of the first token arrive once more; only the last ones of key and value are their latest.
  for (const { bytes } of written) await worker?.answer(bytes);
  expect((await cache.attend(query)).error).toBeLessThan(tolerance);
});

test("with replicas, a worker that dies is replaced, and every answer is exact", async () => {
  const cache = await start(4, 2);
  await decode(cache, 6);
  await group.workers[0]?.close();
  await decode(cache, 6, 2);
  // Its parts are copied to others: after that, another one may go.
  await expect
    .poll(() => group.workers.slice(1).reduce((sum, { beat }) => sum + beat.parts, 0), {
      timeout: 60_000,
    })
    .toBe(16);
  await group.workers[1]?.close();
  await decode(cache, 6, 3);
});

test("with replicas, parts of a worker that dies are copied though nobody asks for them", async () => {
  const cache = await start(4, 2);
  await decode(cache, 12);
  await group.workers[2]?.close();
  const rest = group.workers.filter((_, i) => i !== 2);
  await expect
    .poll(() => rest.reduce((sum, { beat }) => sum + beat.parts, 0), { timeout: 60_000 })
    .toBe(16);
  await decode(cache, 3, 2);
});

test("with replicas, a second loss before the copies are made is survived where a copy of each part is left", async () => {
  const cache = await start(4, 2);
  await decode(cache, 12);
  // Parts lie on neighbours in a ring: after one loss, the worker across has none that is there once only.
  const pairs = sharersOf(backend.info.notes ?? []);
  const [first] = group.workers as [(typeof group.workers)[number]];
  const across = group.workers.find(
    (one) => one !== first && !pairs.some((pair) => pair.has(one.name) && pair.has(first.name)),
  );
  let copies = 0;
  group.network.onRequest = (_, bytes) => {
    if (bytes[kindAt] !== kinds.copy) return {};
    copies += 1;
    return { lost: true };
  };
  await first.close();
  await expect.poll(() => copies, { timeout: 60_000 }).toBeGreaterThan(0);
  await across?.close();
  // Copies hang with the worker that makes them; writes do not wait until their own deadline for that.
  await decode(cache, 6, 2);
  group.network.onRequest = () => ({});
  const rest = group.workers.filter((one) => one !== first && one !== across);
  await expect.poll(() => rest.map(({ beat }) => beat.parts), { timeout: 60_000 }).toEqual([8, 8]);
  await rest[0]?.close();
  await decode(cache, 6, 3);
});

/** The workers that share each part, by the notes of a backend. */
function sharersOf(notes: readonly string[]): readonly ReadonlySet<string>[] {
  const parts = notes.join(" ").matchAll(/part \d+ on (\w+) and (\w+)/g);
  return [...parts].map(([, one, other]) => new Set([one as string, other as string]));
}

test("without replicas, calls reject with an error that names what is lost, in time", async () => {
  const cache = await start(3, 1, 500);
  await decode(cache, 8);
  await group.workers[1]?.close();
  const begin = performance.now();
  const error = await cache.attend(query).catch((thrown: unknown) => thrown);
  expect(performance.now() - begin).toBeLessThan(1500);
  expect(isHeedError(error, "device-lost")).toBe(true);
  expect((error as Error).message).toMatch(/part \d of 3 \(rows \d+ to \d+/);
});

test("a worker that hangs is overtaken by a replica; without one, the deadline ends the call", async () => {
  const cache = await start(3, 2, 3000);
  await decode(cache, 6);
  const hung = group.workers[2]?.name as string;
  group.network.onRequest = (subject) => ({ lost: subject.endsWith(hung) });
  const begin = performance.now();
  expect((await cache.attend(query)).error).toBeLessThan(tolerance);
  expect(performance.now() - begin).toBeLessThan(1500);
  await decode(cache, 4, 2);
  // It goes on, and is behind: what it says is not counted.
  group.network.onRequest = () => ({});
  await decode(cache, 4, 3);
});

test("a worker that missed a request gets new parts where there is no other", async () => {
  const cache = await start(1, 1, 400);
  await decode(cache, 1);
  group.network.onRequest = () => ({ lost: true });
  await expect(cache.attend(query)).rejects.toThrow();
  group.network.onRequest = () => ({});
  const other = new CheckedCache(backend, [2, 2, 16, 8]);
  caches.push(other);
  await decode(other, 2, 2);
});

test("answers of wrong sizes, and broken ones, are not counted", async () => {
  const cache = await start(3, 2, 3000);
  await decode(cache, 4);
  const faulty = group.workers[0]?.name as string;
  const next = numbers(9);
  group.network.onAnswer = (subject, bytes) => {
    if (!subject.endsWith(faulty)) return {};
    if (bytes.length < 200) return {};
    return {
      changed: (answer) => {
        if (next() > 0) return answer.slice(0, 100);
        // Number of axes of the first tensor.
        answer[8] = 9;
        return answer;
      },
    };
  };
  for (let i = 0; i < 10; i++) {
    expect((await cache.attend(query)).error).toBeLessThan(tolerance);
  }
});

test("a worker that was started anew has nothing, and is asked for nothing", async () => {
  const cache = await start(2, 2);
  await decode(cache, 4);
  await group.workers[0]?.close();
  await group.start();
  await decode(cache, 6, 2);
  await expect.poll(() => group.workers[2]?.beat.parts, { timeout: 60_000 }).toBe(4);
  await group.workers[1]?.close();
  await decode(cache, 4, 3);
});

test("a worker that leaves hands its parts over first", async () => {
  const cache = await start(3, 1);
  await decode(cache, 8);
  const leaving = group.workers[0];
  leaving?.announceLeaving();
  await expect.poll(() => leaving?.beat.parts, { timeout: 60_000 }).toBe(0);
  await leaving?.close();
  await decode(cache, 8, 2);
});

test("memory is given back, also by workers that could not be reached", async () => {
  const cache = await start(3, 2);
  await decode(cache, 4);
  const hung = group.workers[1]?.name as string;
  group.network.onRequest = (subject) => ({ lost: subject.endsWith(hung) });
  await decode(cache, 2, 2);
  caches.pop()?.dispose();
  await new Promise((resolve) => setTimeout(resolve, 50));
  group.network.onRequest = () => ({});
  await expect
    .poll(() => group.workers.map(({ beat }) => [beat.parts, beat.usedBytes]), { timeout: 60_000 })
    .toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
});
