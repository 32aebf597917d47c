import { expect, test } from "vitest";
import { workerMemoryMeter } from "../page/worker/memory.js";
import { decode } from "../src/ceiling/module.js";

const meter = workerMemoryMeter();
const pages = 2 ** 16;
const wasm = { runtime: "WebAssembly", device: "CPU", features: [], threads: 1 };

/** `(module (memory (export "memory") 3))` */
const exporting = decode("AGFzbQEAAAAFAwEAAwcKAQZtZW1vcnkCAA==");

test("memories are seen that are made by name, and that come out of an instance", async () => {
  const held = new WebAssembly.Memory({ initial: 1 });
  expect(held).toBeInstanceOf(WebAssembly.Memory);
  const growth = meter.start(wasm);
  expect(growth().bytes).toBe(0);
  held.grow(4);
  expect(growth()).toEqual({ bytes: 4 * pages, of: "wasm memories and GPU buffers" });
  const { instance } = await WebAssembly.instantiate(exporting);
  const module = await WebAssembly.compile(exporting);
  const other = await WebAssembly.instantiate(module);
  const third = new WebAssembly.Instance(module);
  expect(growth().bytes).toBe((4 + 3 * 3) * pages);
  const names = [instance, other, third].map(({ exports }) => Object.keys(exports).join());
  expect(names).toEqual(["memory", "memory", "memory"]);
  // Memory that existed before the meter was started does not count.
  expect(meter.start(wasm)().bytes).toBe(0);
});

test("GPU buffers are seen at their peak, also when they are gone", async (context) => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return context.skip("no adapter");
  const device = await adapter.requestDevice();
  const make = (size: number) => device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST });
  const before = make(4096);
  const growth = meter.start({ ...wasm, runtime: "WebGPU" });
  make(1024).destroy();
  const kept = make(2048);
  before.destroy();
  make(1024).destroy();
  expect(growth().bytes).toBe(2048);
  kept.destroy();
  // Destroyed twice is gone once.
  kept.destroy();
  const later = meter.start(wasm);
  make(512).destroy();
  expect(later().bytes).toBe(512);
  device.destroy();
});

test("JavaScript's heap cannot be watched, and that is said", () => {
  const { bytes, of } = meter.start({ ...wasm, runtime: "JavaScript" })();
  expect(bytes).toBeNull();
  expect(of).toContain("not measurable here: ");
});
