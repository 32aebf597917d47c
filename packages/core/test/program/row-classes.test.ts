/** Classes of rows that see the same keys, by the numbers that a mask program reads of them. */
import {
  abs,
  add,
  and,
  bindProgram,
  equal,
  less,
  lessEqual,
  type MaskVariables,
  maskMod,
  multiply,
  remainder,
  scoreMod,
  subtract,
  TileProgram,
  table,
  where,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { tensor } from "../../src/index.js";

type Build = (variables: MaskVariables) => ReturnType<typeof equal>;

const keys = 8;
const rows = 12;
const documents = table(tensor(Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2), [12]));
const weights = table(tensor(Float32Array.of(0.5, -1, 0.5), [3]));

function tileOf(build: Build, first: number, heads = 1) {
  const tile = new TileProgram(bindProgram(maskMod(build)), {
    keys,
    rows,
    lanes: 3,
    ascending: rows,
  });
  tile.setBatch(0);
  const index = Int32Array.from({ length: rows }, (_, r) => Math.floor(r / heads));
  const head = Int32Array.from({ length: rows }, (_, r) => r % heads);
  tile.setRows(rows, { head, position: index, index });
  tile.setKeys(first, keys);
  return tile;
}

/** The keys that a row sees, as text. */
function seenBy(tile: TileProgram, r: number): string {
  const visible = tile.visible(r - (r % 3));
  return Array.from({ length: keys }, (_, j) => visible[3 * j + (r % 3)]).join("");
}

test.each<[string, number, Build]>([
  ["documents", 3, ({ query, key }) => equal(documents.at(query), documents.at(key))],
  [
    "remainders of sums",
    5,
    ({ query, key }) => equal(remainder(add(key, multiply(query, 7)), 5), 0),
  ],
  [
    "remainders of sums and what keys say",
    4,
    ({ query, key }) => and(less(key, 6), less(remainder(subtract(key, multiply(query, 3)), 4), 2)),
  ],
  [
    "remainders by two divisors",
    6,
    ({ query, key }) =>
      and(
        equal(remainder(add(key, query), 2), 0),
        equal(remainder(add(multiply(key, 2), query), 3), 0),
      ),
  ],
  ["floats of rows", 2, ({ query, key }) => less(weights.at(remainder(query, 3)), weights.at(key))],
  ["rows alone", 2, ({ query }) => equal(remainder(query, 2), 0)],
  ["keys alone", 1, ({ key }) => lessEqual(key, 3)],
])("%s: %i classes, whose rows see the same", (_, count, build) => {
  const tile = tileOf(build, 3);
  const classes = tile.classes();
  expect(classes?.count).toBe(count);
  const seen = new Map<number, string>();
  for (let r = 0; r < rows; r++) {
    const own = classes?.of[r] as number;
    const known = seen.get(own);
    if (known === undefined) seen.set(own, seenBy(tile, r));
    else expect(seenBy(tile, r)).toBe(known);
  }
  expect(seen.size).toBe(count);
});

test("heads that share a query share its keys, also by differences", () => {
  const band: Build = ({ query, key }) => lessEqual(abs(subtract(query, key)), 2);
  expect(tileOf(band, 0).classes()).toBeNull();
  const classes = tileOf(band, 0, 4).classes();
  expect(classes?.count).toBe(3);
  expect([...(classes?.of ?? [])]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
});

test("a number that is read twice counts as it is", () => {
  const build: Build = ({ query, key }) =>
    and(equal(remainder(add(key, query), 3), 0), less(query, multiply(key, 2)));
  expect(tileOf(build, 0).classes()).toBeNull();
});

test("sums that may wrap are no remainders of their parts", () => {
  const build: Build = ({ query, key }) =>
    equal(remainder(add(multiply(key, 3), multiply(query, 2 ** 28)), 7), 0);
  // Four of the 12 numbers are at most 2^30, and each of the others is a class of its own.
  expect(tileOf(build, 0).classes()).toBeNull();
  const ofKeys: Build = ({ query, key }) =>
    equal(remainder(add(multiply(key, 2 ** 28), multiply(query, 5)), 3), 0);
  expect(tileOf(ofKeys, 0).classes()).toBeNull();
  const tile = tileOf(ofKeys, -3);
  expect(tile.classes()).not.toBeNull();
  tile.setKeys(0, 3);
  expect(tile.classes()?.count).toBe(3);
});

test("score programs have none, also where rows of a mask would have", () => {
  const same: Build = ({ query, key }) => equal(documents.at(query), documents.at(key));
  expect(tileOf(same, 3).classes()?.count).toBe(3);
  const program = scoreMod((variables) => where(same(variables), variables.score, 0));
  const tile = new TileProgram(bindProgram(program), { keys, rows, lanes: 3, ascending: rows });
  const index = Int32Array.from({ length: rows }, (_, r) => r);
  tile.setBatch(0);
  tile.setRows(rows, { head: index, position: index, index });
  tile.setKeys(3, keys);
  expect(tile.classes()).toBeNull();
});
