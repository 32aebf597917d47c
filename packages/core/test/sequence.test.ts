/** Sequences of a call: where their queries and keys are, and which keys are in sight. */
import {
  type AttentionInputs,
  bindPositions,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  positionRange,
  Sequence,
  tensor,
  visibleBand,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const int32 = (values: readonly number[], ...shape: number[]) =>
  tensor(Int32Array.from(values), shape);
const f32 = (...shape: number[]) => zeros("float32", shape);
type Call = AttentionInputs<HostTensor>;

const sequencesOf = (call: Call): Sequence[] => {
  const problem = describeProblem(call);
  const positions = bindPositions(problem, call);
  return Array.from({ length: problem.sequences }, (_, s) => new Sequence(problem, positions, s));
};
const [key, value] = [f32(2, 1, 5, 2), f32(2, 1, 5, 2)];
const offsets: Call = {
  query: f32(2, 1, 3, 2),
  key,
  value,
  causal: true,
  queryOffset: [4, -2],
  kvLengths: [5, 2],
};
const tables: Call = {
  ...{ query: f32(2, 1, 3, 2), key, value, window: { left: 2, right: 1 } },
  queryPositions: int32([5, 1, 3, 0, 9, 4], 2, 3),
  keyPositions: int32([7, 2, 4, 9, 3], 1, 5),
};
const ragged: Call = {
  ...{ query: f32(1, 1, 6, 2), key: f32(1, 1, 9, 2), value: f32(1, 1, 9, 2) },
  ...{ queryStarts: [0, 2, 2, 6], keyStarts: [0, 4, 5, 9], causal: true },
  keyPositions: int32([0, 1, 2, 3, 40, 10, 11, 12, 13], 1, 9),
};
const paged: Call = {
  ...{ query: f32(2, 1, 1, 2), key: f32(5, 1, 3, 2), value: f32(5, 1, 3, 2) },
  ...{ pageTable: int32([4, 0, 2, 1, 3, -1], 2, 3), kvLengths: [8, 4] },
};

/** A sequence's members, without its tables. */
const placeOf = ({ batch, queryStart, queryLength, keyStart, keyLength, offset }: Sequence) => [
  ...[batch, queryStart, queryLength, keyStart, keyLength, offset],
];

test("sequences lie where their call says", () => {
  expect(sequencesOf(offsets).map(placeOf)).toEqual([
    [0, 0, 3, 0, 5, 4],
    [1, 0, 3, 0, 2, -2],
  ]);
  expect(sequencesOf(ragged).map(placeOf)).toEqual([
    [0, 0, 2, 0, 4, 0],
    [0, 2, 0, 4, 1, 0],
    [0, 2, 4, 5, 4, 0],
  ]);
  expect(sequencesOf(paged).map(placeOf)).toEqual([
    [0, 0, 1, 0, 8, 0],
    [1, 0, 1, 0, 4, 0],
  ]);
});

test("queries and keys have positions by offset, or of their own", () => {
  const of = (call: Call, s: number) => {
    const sequence = sequencesOf(call)[s] as Sequence;
    return [
      [0, 1, 2].map((i) => sequence.queryPosition(i)),
      [0, 1, 2].map((j) => sequence.keyPosition(j)),
    ];
  };
  expect(of(offsets, 0)).toEqual([
    [4, 5, 6],
    [0, 1, 2],
  ]);
  expect(of(offsets, 1)).toEqual([
    [-2, -1, 0],
    [0, 1, 2],
  ]);
  expect(of(tables, 0)).toEqual([
    [5, 1, 3],
    [7, 2, 4],
  ]);
  expect(of(tables, 1)).toEqual([
    [0, 9, 4],
    [7, 2, 4],
  ]);
  expect(of(ragged, 2)).toEqual([
    [0, 1, 2],
    [10, 11, 12],
  ]);
});

test("the least and the largest position of some queries, and of a tile's keys", () => {
  const [first, second] = sequencesOf(offsets) as [Sequence, Sequence];
  expect(first.positionsOf(0, 3)).toEqual({ first: 4, last: 6 });
  expect(first.positionsOf(1, 2)).toEqual({ first: 5, last: 5 });
  expect(second.positionsOf(1, 3)).toEqual({ first: -1, last: 0 });
  expect(first.tilePositions({ start: 1, end: 3 })).toEqual({ start: 1, end: 3 });
  const own = sequencesOf(tables)[0] as Sequence;
  expect(own.positionsOf(0, 3)).toEqual({ first: 1, last: 5 });
  expect(own.positionsOf(1, 3)).toEqual({ first: 1, last: 3 });
  expect(own.tilePositions({ start: 0, end: 3 })).toEqual({ start: 2, end: 8 });
  expect(own.tilePositions({ start: 1, end: 2 })).toEqual({ start: 2, end: 3 });
  expect(own.tilePositions({ start: 2, end: 2 })).toEqual({ start: 2, end: 2 });
  expect(own.tilePositions({ start: 3, end: 1 })).toEqual({ start: 3, end: 1 });
});

test("keys in sight are the smallest range that holds all that is seen", () => {
  for (const call of [offsets, tables, ragged]) {
    const band = visibleBand(describeProblem(call));
    for (const sequence of sequencesOf(call)) {
      for (let first = -4; first < 14; first++) {
        for (const last of [first, first + 2]) {
          const seen = Array.from({ length: sequence.keyLength }, (_, j) => j).filter((j) => {
            const position = sequence.keyPosition(j);
            return first - band.left <= position && position <= last + band.right;
          });
          const { start, end } = sequence.keysInSight(band, first, last);
          if (seen.length === 0) expect(end).toBe(start);
          else expect([start, end]).toEqual([seen[0], (seen.at(-1) as number) + 1]);
        }
      }
    }
  }
});

test("runs of keys are all that lie one after another", () => {
  const runs = (call: Call, s: number, from: number, to: number) => {
    const found: number[][] = [];
    sequencesOf(call)[s]?.forEachRun(from, to, (...run) => found.push(run));
    return found;
  };
  expect(runs(offsets, 1, 0, 2)).toEqual([[0, 1, 0, 2]]);
  expect(runs(ragged, 2, 1, 3)).toEqual([[1, 0, 6, 2]]);
  expect(runs(paged, 0, 0, 8)).toEqual([
    [0, 4, 0, 3],
    [3, 0, 0, 3],
    [6, 2, 0, 2],
  ]);
  expect(runs(paged, 0, 2, 4)).toEqual([
    [2, 4, 2, 1],
    [3, 0, 0, 1],
  ]);
  expect(runs(paged, 1, 1, 4)).toEqual([
    [1, 1, 1, 2],
    [3, 3, 0, 1],
  ]);
  expect(runs(paged, 1, 2, 2)).toEqual([]);
  expect(runs(offsets, 0, 3, 2)).toEqual([]);
});

describe("the range of positions", () => {
  const positions = [4, 9, -2, 9, 1];
  test("is that of a piece of them", () => {
    expect(positionRange(positions, 0, 5)).toEqual({ first: -2, last: 9 });
    expect(positionRange(positions, 0, 1)).toEqual({ first: 4, last: 4 });
    expect(positionRange(positions, 3, 5)).toEqual({ first: 1, last: 9 });
    expect(positionRange(positions, 2, 4)).toEqual({ first: -2, last: 9 });
  });
  test.each([
    [-1, 2],
    [2, 2],
    [3, 2],
    [0, 6],
  ])("has no piece from %i to %i", (from, to) => {
    expect(() => positionRange(positions, from, to)).toThrow(InvalidInputError);
  });
});
