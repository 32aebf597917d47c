import { attention, scatter, tensor } from "@heed/core";
import { expect, test } from "vitest";

const floats = (...shape: number[]) =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    shape,
  );

function bound(kvLengths: Int32Array) {
  const inputs = {
    query: floats(2, 1, 1, 4),
    key: floats(2, 1, 8, 4),
    value: floats(2, 1, 8, 4),
    kvLengths,
    queryOffset: "bottom-right",
    causal: true,
  } as const;
  return attention.bind(attention.describe(inputs), inputs);
}

test("calls with the same lengths share a copy of them, which callers cannot change", () => {
  const lengths = Int32Array.of(5, 3);
  const first = bound(lengths);
  lengths[0] = 6;
  const second = bound(lengths);
  expect([...first.kvLengths]).toEqual([5, 3]);
  expect([...second.kvLengths]).toEqual([6, 3]);
  expect([...second.offsets]).toEqual([5, 2]);
  expect(bound(Int32Array.of(5, 3)).kvLengths).toBe(first.kvLengths);
  expect(bound(Int32Array.of(5, 2)).kvLengths).toBe(second.offsets);
});

test("what a caller does to a shared copy does not reach later calls", () => {
  const { kvLengths } = bound(Int32Array.of(7, 7));
  kvLengths[0] = 1;
  expect([...bound(Int32Array.of(7, 7)).kvLengths]).toEqual([7, 7]);
});

test("slots of more than one entry are counted over the whole target, short and long", () => {
  for (const n of [2, 40, 20000]) {
    const slots = Int32Array.from({ length: 2 * n }, (_, i) => (i % n) - 1);
    const inputs = {
      target: tensor(new Float32Array(2 * n), [2, 1, n, 1]),
      source: tensor(new Float32Array(2 * n), [2, 1, n, 1]),
      slots,
    };
    const call = scatter.bind(scatter.describe(inputs), inputs);
    expect([...(call.inputs.slots as Int32Array)]).toEqual([...slots]);
    const expected = slots.map((slot, i) => (slot === -1 || i < n ? slot : n + slot));
    expect(call.slots).toEqual(expected);
  }
});

test("calls share tables of up to 64 integers, and have copies of longer ones", () => {
  const copies = (length: number) => {
    const t = floats(1, 1, length, 4);
    const positions = tensor(
      Int32Array.from({ length }, (_, i) => i * i),
      [1, length],
    );
    const inputs = { query: t, key: t, value: t, causal: true, queryPositions: positions };
    const bind = () => attention.bind(attention.describe(inputs), inputs).queryPositions;
    expect([...(bind() as Int32Array)]).toEqual([...positions.data]);
    return [bind(), bind()];
  };
  for (const length of [5, 64]) {
    const [first, second] = copies(length);
    expect(second).toBe(first);
  }
  const [first, second] = copies(65);
  expect(second).not.toBe(first);
});
