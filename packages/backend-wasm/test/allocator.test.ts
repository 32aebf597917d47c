import { Random } from "@heed/conformance";
import { expect, test } from "vitest";
import { Allocator, alignment } from "../src/memory/allocator.js";

test("hands out aligned parts that never overlap, and takes all of them back", () => {
  const random = new Random("allocator");
  const allocator = new Allocator(128);
  allocator.extend(1 << 16);
  const taken = new Map<number, number>();
  for (let step = 0; step < 5000; step++) {
    if (random.uniform() < 0.55) {
      const bytes = Math.floor(random.uniform() * 3000);
      const address = allocator.allocate(bytes);
      if (address === null) continue;
      expect(address % alignment).toBe(0);
      expect(address).toBeGreaterThanOrEqual(128);
      expect(address + bytes).toBeLessThanOrEqual(allocator.end);
      for (const [other, size] of taken) {
        expect(address + bytes <= other || other + size <= address).toBe(true);
      }
      taken.set(address, bytes);
    } else {
      const [address] = taken.keys();
      if (address === undefined) continue;
      allocator.free(address);
      taken.delete(address);
    }
  }
  for (const address of taken.keys()) allocator.free(address);
  expect(allocator.used).toBe(0);
  // The freed pieces have merged into one block again.
  expect(allocator.allocate((1 << 16) - 128)).toBe(128);
});

test("says how far the space must reach for what does not fit", () => {
  const allocator = new Allocator(64);
  allocator.extend(1024);
  const first = allocator.allocate(500) as number;
  expect(allocator.allocate(900)).toBeNull();
  const end = allocator.endFor(900);
  allocator.extend(end);
  expect(allocator.allocate(900)).not.toBeNull();
  expect(allocator.allocate(1)).toBeNull();
  allocator.free(first);
  expect(allocator.allocate(1)).toBe(first);
});

test("does not free what it has not handed out", () => {
  const allocator = new Allocator(64);
  allocator.extend(1024);
  const address = allocator.allocate(10) as number;
  allocator.free(address);
  expect(() => allocator.free(address)).toThrow(RangeError);
});
