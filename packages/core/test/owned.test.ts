/** Tensors that a call makes on its way in a backend's memory: who disposes them, and what is copied there. */
import { describe, expect, test } from "vitest";
import {
  deviceTensor,
  type HostTensor,
  scatter,
  type Tensor,
  tensor,
  toFloat64,
  zeros,
} from "../src/index.js";
import { type Copying, copyRows, mergedHeads, Owned, rowMajorCopy } from "../src/owned.js";

const held = (shape: readonly number[], log: string[] = [], name = "t") =>
  deviceTensor(
    {
      backend: "held",
      read: async () => zeros("float32", shape) as HostTensor,
      release: () => log.push(name),
    },
    { dtype: "float32", shape },
  );

/** An attention that writes down what it is asked for, and copies nothing. */
function asked() {
  const calls: { operation: unknown; inputs: Record<string, unknown> }[] = [];
  const attention = {
    apply: async (operation: unknown, inputs: Record<string, unknown>) => {
      calls.push({ operation, inputs });
      return inputs;
    },
    allocate: (_: string, shape: readonly number[]) => held(shape),
  } as unknown as Copying;
  return { attention, calls };
}

describe("tensors that go with a call", () => {
  test("are disposed once, but for those that somebody else took and those of the host", () => {
    const log: string[] = [];
    const owned = new Owned();
    const [a, b, c] = ["a", "b", "c"].map((name) => owned.keep(held([1], log, name)));
    expect(owned.keep(zeros("float32", [1])).shape).toEqual([1]);
    owned.release(b as Tensor);
    // One that it never had.
    owned.release(held([1], log, "other"));
    owned.dispose();
    owned.dispose();
    expect(log).toEqual(["a", "c"]);
    expect([a?.disposed, b?.disposed, c?.disposed]).toEqual([true, false, true]);
  });
});

describe("copies of rows", () => {
  test("go to the first rows of each batch entry", async () => {
    const { attention, calls } = asked();
    const [source, target] = [held([2, 3, 4, 5]), held([2, 3, 9, 5])];
    await copyRows(attention, source, target);
    expect(calls).toEqual([
      {
        operation: scatter,
        inputs: { target, source, slots: Int32Array.of(0, 1, 2, 3, 0, 1, 2, 3), paged: false },
      },
    ]);
  });

  test.each([[[2, 3, 0, 5]], [[0, 3, 4, 5]]])("of %j ask no backend", async (shape) => {
    const { attention, calls } = asked();
    await copyRows(attention, held(shape), held(shape));
    expect(calls).toEqual([]);
  });
});

describe("merged heads and row-major copies", () => {
  test("are views of one row or of one head, and otherwise a scatter into a view", async () => {
    const { attention, calls } = asked();
    const owned = new Owned();
    const row = await mergedHeads(attention, held([2, 3, 1, 4]), owned);
    expect([row.shape, row.strides]).toEqual([
      [2, 1, 12],
      [12, 4, 1],
    ]);
    const head = await mergedHeads(attention, held([2, 1, 3, 4]), owned);
    expect([head.shape, head.strides]).toEqual([
      [2, 3, 4],
      [12, 4, 1],
    ]);
    expect(calls).toEqual([]);
    const all = await mergedHeads(attention, held([2, 3, 5, 4]), owned);
    expect(all.shape).toEqual([2, 5, 12]);
    const [{ inputs }] = calls as [(typeof calls)[number]];
    const { target, slots } = inputs as { target: Tensor; slots: Int32Array };
    expect([target.shape, target.strides]).toEqual([
      [2, 3, 5, 4],
      [60, 4, 12, 1],
    ]);
    expect([...slots]).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    owned.dispose();
    expect([row, head, all, target].map((t) => (t as { disposed?: boolean }).disposed)).toEqual([
      ...[true, true, true, true],
    ]);
  });

  test("of host tensors ask no backend, and copy only what is not row-major", async () => {
    const { attention, calls } = asked();
    const owned = new Owned();
    const t = tensor(
      Float32Array.from({ length: 12 }, (_, i) => i),
      [1, 2, 3, 2],
    );
    expect(await rowMajorCopy(attention, t, owned)).toBe(t);
    const turned = tensor(t.data, [1, 3, 2, 2], { strides: [12, 2, 6, 1] });
    const copy = (await rowMajorCopy(attention, turned, owned)) as HostTensor;
    expect([...toFloat64(copy)]).toEqual([0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
    const merged = (await mergedHeads(attention, t, owned)) as HostTensor;
    expect(merged.shape).toEqual([1, 3, 4]);
    expect(calls).toEqual([]);
  });

  test("of device tensors are new ones, also if they are row-major", async () => {
    const { attention, calls } = asked();
    const t = held([1, 2, 3, 2]);
    const copy = await rowMajorCopy(attention, t, new Owned());
    expect(copy).not.toBe(t);
    expect(calls.map(({ inputs }) => inputs.source)).toEqual([t]);
  });
});
