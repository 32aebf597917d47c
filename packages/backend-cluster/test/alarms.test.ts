import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Alarms } from "../src/alarms.js";
import { MessageBuffers } from "../src/client/message-buffers.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("alarms ring at their times, whatever the order in which they are set", async () => {
  const alarms = new Alarms();
  const rung: number[] = [];
  const start = performance.now();
  for (const at of [50, 10, 30, 20, 40]) alarms.set(start + at, () => rung.push(at));
  await vi.advanceTimersByTimeAsync(30);
  expect(rung).toEqual([10, 20, 30]);
  await vi.advanceTimersByTimeAsync(30);
  expect(rung).toEqual([10, 20, 30, 40, 50]);
});

test("alarms that are cancelled do not ring, and leave no timer once there are none", async () => {
  const alarms = new Alarms();
  const rung: string[] = [];
  const start = performance.now();
  const first = alarms.set(start + 10, () => rung.push("first"));
  const second = alarms.set(start + 20, () => rung.push("second"));
  alarms.cancel(first);
  expect(vi.getTimerCount()).toBe(1);
  alarms.cancel(second);
  alarms.cancel(second);
  alarms.cancel(null);
  expect(vi.getTimerCount()).toBe(0);
  alarms.set(start + 30, () => rung.push("third"));
  await vi.advanceTimersByTimeAsync(40);
  expect(rung).toEqual(["third"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("an alarm may set and cancel others while it rings", async () => {
  const alarms = new Alarms();
  const rung: string[] = [];
  const start = performance.now();
  const later = { alarm: null as object | null };
  alarms.set(start + 10, () => {
    rung.push("first");
    alarms.cancel(later.alarm);
    alarms.set(performance.now() + 5, () => rung.push("next"));
  });
  later.alarm = alarms.set(start + 10, () => rung.push("cancelled"));
  await vi.advanceTimersByTimeAsync(20);
  expect(rung).toEqual(["first", "next"]);
});

test("buffers are used again, and grow with what is asked for", () => {
  const buffers = new MessageBuffers();
  const first = buffers.take(100);
  buffers.give(first.subarray(0, 10));
  const again = buffers.take(50);
  expect(again.buffer).toBe(first.buffer);
  expect(again.byteLength).toBe(100);
  buffers.give(again);
  const larger = buffers.take(200);
  expect(larger.buffer).not.toBe(first.buffer);
  expect(larger.byteLength).toBe(200);
  // One of an earlier size, and one that is too large to keep.
  buffers.give(first);
  buffers.give(new Uint8Array(2 ** 20));
  expect(buffers.take(10).buffer).not.toBe(first.buffer);
  buffers.give(larger);
  expect(buffers.take(2 ** 20).byteLength).toBe(2 ** 20);
  expect(buffers.take(10).buffer).toBe(larger.buffer);
});
