import {
  type AttentionInputs,
  attention,
  type BoundAttention,
  describeProblem,
  type HostTensor,
  tensor,
  zeros,
} from "@heed/core";
import { expect, test } from "vitest";
import { type Group, type GroupRules, groupsOf } from "../src/attention/stored/groups.js";

const rules: GroupRules = {
  inPlace: false,
  startCost: 1e6,
  mostLogits: Number.POSITIVE_INFINITY,
  most: Number.POSITIVE_INFINITY,
  apart: false,
};

function groups(
  call: AttentionInputs<HostTensor>,
  own: Partial<GroupRules> = {},
): readonly Group[] {
  const problem = describeProblem(call);
  return groupsOf(problem, attention.bind(problem, call) as BoundAttention, { ...rules, ...own });
}

const heads = (kvHeads: number, length: number, batch = 1) =>
  zeros("float32", [batch, kvHeads, length, 64]) as HostTensor;
function starts(lengths: readonly number[]): number[] {
  const all = [0];
  for (const length of lengths) all.push((all.at(-1) as number) + length);
  return all;
}
const ragged = (lengths: readonly number[]): AttentionInputs<HostTensor> => {
  const total = lengths.reduce((a, b) => a + b, 0);
  const call = { query: heads(8, total), key: heads(8, total), value: heads(8, total) };
  return { ...call, queryStarts: starts(lengths), keyStarts: starts(lengths) };
};

test("sequences of similar lengths are together, and long ones not with short ones", () => {
  const found = groups(ragged([512, 20, 0, 512, 21, 20]));
  expect(found.map(({ sequences }) => sequences)).toEqual([
    [0, 3],
    [1, 4, 5],
  ]);
  expect(found.map(({ rows, keys }) => [rows, keys])).toEqual([
    [512, 512],
    [21, 21],
  ]);
});

test("no more groups than the rules allow", () => {
  const lengths = [2000, 1000, 500, 250, 120, 60, 30];
  expect(groups(ragged(lengths)).length).toBeGreaterThan(3);
  expect(groups(ragged(lengths), { most: 2 }).length).toBeLessThanOrEqual(2);
});

test("groups keep within the logits that fit", () => {
  const call = ragged(new Array(8).fill(64));
  expect(groups(call).length).toBe(1);
  expect(groups(call, { mostLogits: 2 * 8 * 64 * 64 }).length).toBe(4);
});

/** Decoding over pages of 16 keys: one query a sequence. */
const paged = (lengths: readonly number[], more: Partial<AttentionInputs<HostTensor>> = {}) => ({
  query: heads(8, 1, lengths.length),
  key: heads(2, 16, 4),
  value: heads(2, 16, 4),
  pageTable: tensor(new Int32Array(lengths.length * 512), [lengths.length, 512]),
  kvLengths: lengths,
  ...more,
});

test("a decode loop meets few numbers of keys", () => {
  const met = new Set<number>();
  for (let length = 1; length <= 8000; length += 7) {
    const [group] = groups(paged([length])) as [Group];
    expect(group.keys).toBeGreaterThanOrEqual(length);
    expect(group.keys).toBeLessThan(length + Math.max(64, length / 16) + 16);
    met.add(group.keys);
  }
  expect(met.size).toBeLessThan(90);
});

test("keys before a window are left out, from the start of a page on", () => {
  const rules = { causal: true, window: { left: 99 }, queryOffset: "bottom-right" } as const;
  const [group] = groups(paged([1000, 700], rules)) as [Group];
  expect(group.entries.map(({ start }) => start)).toEqual([896, 592]);
  expect(group.sights).toEqual([
    { start: 900, end: 1000 },
    { start: 600, end: 700 },
  ]);
  expect(group.keys).toBe(128);
});

test("masks of keys go with one range for all", () => {
  const mask = tensor(new Uint8Array(512 * 16).fill(1), [1, 1, 1, 512 * 16], { dtype: "bool" });
  const window = { causal: true, window: { left: 99 }, queryOffset: "bottom-right" } as const;
  for (const { entries, keys } of groups(paged([1000, 700], { ...window, mask }))) {
    const all = new Set(entries.map(({ start }) => start));
    expect(all.size).toBe(1);
    expect(Math.max(...all) + keys).toBeLessThanOrEqual(512 * 16);
  }
});
