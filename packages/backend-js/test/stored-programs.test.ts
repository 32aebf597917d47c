import { js } from "@heed/backend-js";
import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import {
  add,
  equal,
  floorDivide,
  lessEqual,
  maskMod,
  multiply,
  or,
  scoreMod,
  subtract,
} from "@heed/core/program";
import { expect, test } from "vitest";

let state = 3;
const next = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
};
const random = (...shape: number[]): HostTensor =>
  tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next), shape);
const positions = (rows: number, columns: number, of: (i: number) => number): HostTensor =>
  tensor(
    Int32Array.from({ length: rows * columns }, (_, i) => of(i)),
    [rows, columns],
  );

const visible = maskMod(({ batch, query, key, queryIndex, keyIndex }) =>
  or(lessEqual(add(key, batch), query), equal(floorDivide(keyIndex, 3), queryIndex)),
);
const scored = scoreMod(({ score, query, key, keyIndex }) =>
  add(score, multiply(0.125, subtract(add(query, keyIndex), key))),
);
const programs = { maskMod: visible, scoreMod: scored };

const plain = {
  query: random(2, 4, 40, 16),
  key: random(2, 2, 90, 16),
  value: random(2, 2, 90, 8),
};
const calls: Readonly<Record<string, AttentionInputs<HostTensor>>> = {
  "positions as data": {
    ...plain,
    queryPositions: positions(2, 40, (i) => (i * 37) % 60),
    keyPositions: positions(1, 90, (i) => (i + 30) % 90),
  },
  "a ragged batch": {
    query: random(1, 4, 50, 16),
    key: random(1, 2, 100, 16),
    value: random(1, 2, 100, 8),
    queryStarts: [0, 41, 41, 44, 50],
    keyStarts: [0, 70, 75, 80, 100],
    queryOffset: "bottom-right",
  },
  pages: {
    ...plain,
    key: random(9, 2, 30, 16),
    value: random(9, 2, 30, 8),
    pageTable: tensor(Int32Array.from([7, 1, 4, 0, 8, -1]), [2, 3]),
    kvLengths: [83, 44],
    queryOffset: [10, 3],
  },
};

test.each(Object.entries(calls))(
  "programs see the sequences and positions of %s",
  async (_, call) => {
    const backend = await js().load();
    for (const own of [{ maskMod: visible }, { scoreMod: scored }, programs]) {
      const given = { ...call, ...own };
      const plan = await backend.plan(describeProblem(given));
      expect(plan.description.kernel).toBe("attention-tiled");
      const { output } = await plan.run(given);
      const wanted = toFloat64(referenceAttention(given).output);
      const got = toFloat64(output as HostTensor);
      expect(Math.max(...got.map((x, i) => Math.abs(x - (wanted[i] as number))))).toBeLessThan(
        1e-6,
      );
    }
    backend.dispose();
  },
);
