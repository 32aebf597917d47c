import { expect, test } from "vitest";
import { processMemoryMeter } from "../src/cli/memory-meter.js";

test.runIf(process.platform === "linux")("growth is seen at its peak, also when it is over", () => {
  const meter = processMemoryMeter();
  const growth = meter.start({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 });
  // Off the heap, and touched: pages are counted once they are written to.
  let block: Uint8Array | null = new Uint8Array(64 * 2 ** 20).fill(1);
  expect(block[5]).toBe(1);
  block = null;
  const { bytes: grown, of } = growth();
  expect(of).toBe("the process's resident memory");
  expect(grown).toBeGreaterThan(60 * 2 ** 20);
  expect(grown).toBeLessThan(200 * 2 ** 20);
});
