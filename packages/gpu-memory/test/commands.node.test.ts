/** Commands that wait for the end of a turn, and what may happen to their buffers meanwhile. */
import { tensor, toFloat64 } from "@heed/core";
import { Commands, GpuMemory, mostPassedOver, wrapBuffer } from "@heed/gpu-memory";
import { beforeEach, expect, test, vi } from "vitest";
import { type FakeBuffer, FakeDevice } from "./fake-device.js";

let device: FakeDevice;
let memory: GpuMemory<FakeBuffer>;
let submitted: ReturnType<typeof vi.spyOn>;

beforeEach(() => {
  device = new FakeDevice();
  memory = new GpuMemory<FakeBuffer>("test", device, { records: true });
  submitted = vi.spyOn(device.queue, "submit");
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const row = (value: number) => tensor(new Float32Array(64).fill(value), [64]);

/** Records a copy between two tensors' buffers. */
function copy(from: FakeBuffer, to: FakeBuffer, work?: number): Promise<void> {
  return memory.commands.record(
    "a copy",
    (encoder) => encoder.copyBufferToBuffer(from, 0, to, 0, 256),
    work,
  );
}

const placed = (t: Awaited<ReturnType<typeof memory.upload>>) => memory.place("t", t).storage;

test("the calls of a turn are one submission at its end", async () => {
  const [a, b, c] = [
    await memory.upload(row(1)),
    await memory.upload(row(2)),
    memory.allocate("float32", [64]),
  ];
  const accepted = copy(placed(a).buffer, placed(b).buffer);
  await Promise.resolve();
  void copy(placed(b).buffer, placed(c).buffer);
  expect(submitted).not.toHaveBeenCalled();
  await turn();
  expect(submitted).toHaveBeenCalledTimes(1);
  await accepted;
  expect(toFloat64(await c.read())[63]).toBe(1);
});

test("a read submits what was recorded before it, and itself, at once", async () => {
  const [a, b] = [await memory.upload(row(1)), await memory.upload(row(2))];
  void copy(placed(a).buffer, placed(b).buffer);
  expect(toFloat64(await b.read())[0]).toBe(1);
  expect(submitted).toHaveBeenCalledTimes(1);
});

test("the queue does not write to a buffer that waiting commands read, up to a bound", async () => {
  const target = await memory.upload(row(0));
  const uploads = 2 * mostPassedOver + 8;
  for (let i = 0; i < uploads; i++) {
    const source = await memory.upload(row(i));
    void copy(placed(source).buffer, placed(target).buffer);
    source.dispose();
    if (i === 4) {
      // Still the fifth: the sixth upload must not have reached its buffer.
      const next = await memory.upload(row(-1));
      expect(toFloat64(await target.read())[0]).toBe(4);
      next.dispose();
    }
  }
  expect(toFloat64(await target.read())[0]).toBe(uploads - 1);
  expect(device.buffers.length).toBeLessThan(mostPassedOver + 8);
});

test("a buffer that the application gets holds what was recorded, and stays known as shown", async () => {
  const [a, b] = [await memory.upload(row(3)), await memory.upload(row(0))];
  void copy(placed(a).buffer, placed(b).buffer);
  expect(placed(b).shown).toBe(false);
  expect(new Float32Array(b.buffer.bytes.buffer)[0]).toBe(3);
  expect(placed(b).shown).toBe(true);
  expect(submitted).toHaveBeenCalledTimes(1);
  const foreign = wrapBuffer("test", b.buffer, [64], { dtype: "float32" });
  expect(placed(foreign).shown).toBe(true);
});

test("buffers are destroyed after the commands that use them, and memory ends with them", async () => {
  const unused = vi.fn();
  const other = new GpuMemory<FakeBuffer>("test", device, { records: true, unused });
  const [a, b] = [await other.upload(row(5)), await memory.upload(row(0))];
  // The same device and backend: whichever memory a buffer is of, there is one order.
  expect(other.commands).toBe(memory.commands);
  void copy(placed(a).buffer, placed(b).buffer);
  a.dispose();
  other.dispose();
  expect(unused).toHaveBeenCalledTimes(1);
  expect(submitted).toHaveBeenCalledTimes(1);
  expect(toFloat64(await b.read())[0]).toBe(5);
});

test("much work is not kept waiting", async () => {
  const [a, b] = [await memory.upload(row(1)), await memory.upload(row(2))];
  void copy(placed(a).buffer, placed(b).buffer, 6e9);
  void copy(placed(b).buffer, placed(a).buffer, 6e9);
  expect(submitted).toHaveBeenCalledTimes(1);
});

test("a submission that fails rejects all of its calls and the reads of their results", async () => {
  const [a, b] = [await memory.upload(row(1)), await memory.upload(row(2))];
  const calls = [1, 2].map(() => copy(placed(a).buffer, placed(b).buffer));
  const pooled = memory.pool.acquireNow(256, 0xff).pooled;
  const layout = { dtype: "float32" as const, shape: [64], strides: [1], offset: 0 };
  const made = memory.handOut(layout, pooled, calls[1]);
  vi.spyOn(device.queue, "submit").mockImplementationOnce(() => {
    throw new TypeError("no");
  });
  const reading = made.read();
  for (const call of [...calls, reading]) await expect(call).rejects.toThrow(TypeError);
  await copy(placed(a).buffer, placed(b).buffer);
  expect(Commands.of(device, "test")).toBe(memory.commands);
});
