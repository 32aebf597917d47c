import {
  abs,
  bindProgram,
  createBlockMask,
  doubles,
  floorDivide,
  maskMod,
  ProgramIntervals,
  type ProgramPoint,
  panelLength,
  programEvaluator,
  programFromJSON,
  remainder,
  type ScoreVariables,
  scoreMod,
  TileProgram,
} from "@heed/core/program";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bool, buildBool, buildNumber, float, type Tree } from "./random-programs.js";

const settings = { seed: 20_261_129, numRuns: 120 };
const mask = (tree: Tree) => maskMod((variables) => buildBool(tree, variables));
const score = (tree: Tree) =>
  scoreMod((variables) => where(buildNumber(tree, variables), variables.score));
const where = (x: ReturnType<typeof buildNumber>, s: ReturnType<typeof buildNumber>) => add(s, x);
const { add } = await import("@heed/core/program");

test("a tile gives what each point gives", () => {
  const rows = 7;
  fc.assert(
    fc.property(bool, float, fc.integer({ min: -30, max: 30 }), (tree, floats, offset) => {
      const programs = [bindProgram(mask(tree)), bindProgram(score(floats))] as const;
      const evaluators = programs.map((program) => programEvaluator(program));
      for (const [lanes, ascending] of [
        [1, 0],
        [1, 4],
        [3, 0],
        [3, 4],
      ] as const) {
        const sizes = { keys: 13, rows, lanes, ascending };
        const [visible, changed] = programs.map((program) => new TileProgram(program, sizes)) as [
          TileProgram,
          TileProgram,
        ];
        const scores = doubles(panelLength(13, lanes));
        // Rows as one block, and as a block that continues.
        for (const firstQuery of [0, 9]) {
          const index = Int32Array.from({ length: rows }, (_, r) => firstQuery + r);
          const head = new Int32Array(rows).fill(2);
          for (const tile of [visible, changed]) {
            tile.setBatch(1);
            tile.setRows(rows, { head, position: index.map((i) => i + offset), index });
          }
          for (const [first, count] of [
            [0, 13],
            [13, 4],
          ] as const) {
            visible.setKeys(first, count);
            changed.setKeys(first, count);
            for (let r = 0; r < rows; r += lanes) {
              scores.forEach((_, n) => {
                scores[n] = n - 3.5;
              });
              changed.changeScores(r, scores, 0);
              const seen = visible.visible(r);
              const given: number[] = [];
              const expected: number[] = [];
              for (let n = 0; n < count * lanes; n++) {
                const row = r + (n % lanes);
                if (row >= rows) continue;
                const key = first + Math.floor(n / lanes);
                const point = { ...at(1, 2, firstQuery + row, key, offset), score: n - 3.5 };
                given.push(seen[n] as number, scores[n] as number);
                expected.push(...evaluators.map((evaluate) => evaluate(point)));
              }
              expect(given).toEqual(expected);
            }
          }
        }
      }
    }),
    settings,
  );
});

test("intervals hold every value of their box", () => {
  const range = (least: number, most: number) =>
    fc
      .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
      .map(([a, b]) => ({ lo: Math.min(a, b), hi: Math.max(a, b) }));
  const side = fc.oneof(range(-3, 8), range(-40, 40), range(-(2 ** 31), 2 ** 31 - 1));
  fc.assert(
    fc.property(
      bool,
      float,
      side,
      side,
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      (tree, floats, query, key, random) => {
        const box = {
          batch: { lo: 0, hi: 1 },
          head: { lo: 2, hi: 2 },
          query,
          key,
          queryIndex: query,
          keyIndex: key,
        };
        const pick = ({ lo, hi }: { lo: number; hi: number }) =>
          Math.round(lo + (random.next().value as number) * (hi - lo));
        for (const program of [
          mask(tree),
          scoreMod((variables) => buildNumber(floats, variables)),
        ]) {
          const bound = bindProgram(program);
          const evaluate = programEvaluator(bound);
          const { lo, hi, nan } = new ProgramIntervals(bound).bounds(box);
          for (let n = 0; n < 20; n++) {
            const ends = n < 4;
            const q = ends ? (n & 1 ? query.hi : query.lo) : pick(query);
            const k = ends ? (n & 2 ? key.hi : key.lo) : pick(key);
            const value = evaluate({
              batch: n & 1,
              head: 2,
              query: q,
              key: k,
              queryIndex: q,
              keyIndex: k,
            });
            if (Number.isNaN(value)) expect(nan).toBe(true);
            else expect(lo <= value && value <= hi, `${lo} ≤ ${value} ≤ ${hi}`).toBe(true);
          }
        }
      },
    ),
    { ...settings, numRuns: 400 },
  );
});

test("a program is the same after JSON", () => {
  fc.assert(
    fc.property(bool, (tree) => {
      const program = mask(tree);
      const text = JSON.stringify(program);
      const read = programFromJSON(JSON.parse(text), { tables: program.tables });
      expect(read.key).toBe(program.key);
      expect(read.toString()).toBe(program.toString());
      expect(JSON.stringify(read)).toBe(text);
    }),
    settings,
  );
});

test("a block mask says of each block what its points say", () => {
  const size = fc.integer({ min: 1, max: 23 });
  const block = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(
      bool,
      size,
      size,
      block,
      block,
      fc.integer({ min: -9, max: 9 }),
      (tree, queryLength, keyLength, queryBlock, keyBlock, queryOffset) => {
        const program = mask(tree);
        const evaluate = programEvaluator(bindProgram(program));
        const sizes = { batch: 2, heads: 2, queryLength, keyLength, queryBlock, keyBlock };
        const made = createBlockMask(program, { ...sizes, queryOffset });
        for (let b = 0; b < 2; b++)
          for (let h = 0; h < 2; h++)
            for (let q = 0; q < made.shape[2]; q++)
              for (let k = 0; k < made.shape[3]; k++) {
                let seen = 0;
                let all = 0;
                for (let i = q * queryBlock; i < Math.min(queryLength, (q + 1) * queryBlock); i++)
                  for (
                    let j = k * keyBlock;
                    j < Math.min(keyLength, (k + 1) * keyBlock);
                    j++, all++
                  )
                    seen += evaluate(at(b, h, i, j, queryOffset));
                const kind = seen === 0 ? "empty" : seen === all ? "full" : "partial";
                expect(made.kind(b, h, q, k)).toBe(kind);
              }
      },
    ),
    { ...settings, numRuns: 80 },
  );
});

function at(batch: number, head: number, i: number, j: number, offset: number): ProgramPoint {
  return { batch, head, query: i + offset, key: j, queryIndex: i, keyIndex: j };
}

test("intervals are no wider than they have to be", () => {
  const range = (lo: number, hi: number) => ({ lo, hi });
  const boundsOf = (
    build: Parameters<typeof scoreMod>[0],
    query: readonly [number, number],
    key: readonly [number, number] = [0, 0],
  ) => {
    const [q, k] = [range(...query), range(...key)];
    const box = { batch: range(0, 0), head: range(0, 0), query: q, key: k };
    return new ProgramIntervals(bindProgram(scoreMod(build))).bounds({
      ...box,
      queryIndex: q,
      keyIndex: k,
    });
  };
  expect(boundsOf(({ query }) => abs(query), [-3, 2])).toMatchObject({ lo: 0, hi: 3 });
  expect(boundsOf(({ query }) => abs(query), [2, 5])).toMatchObject({ lo: 2, hi: 5 });
  expect(boundsOf(({ query }) => abs(query), [-5, -2])).toMatchObject({ lo: 2, hi: 5 });
  expect(boundsOf(({ query }) => remainder(query, -4), [-9, 9])).toMatchObject({ lo: -3, hi: 0 });
  expect(boundsOf(({ query }) => remainder(query, 4), [-9, 9])).toMatchObject({ lo: 0, hi: 3 });
  expect(boundsOf(({ query }) => remainder(query, 4), [5, 7])).toMatchObject({ lo: 1, hi: 3 });
  const divided = ({ query, key }: ScoreVariables) => floorDivide(query, key);
  expect(boundsOf(divided, [-(2 ** 31), 0], [2, 4])).toMatchObject({ lo: -(2 ** 30), hi: 0 });
  expect(boundsOf(divided, [-(2 ** 31), 0], [-1, -1])).toMatchObject({
    lo: -(2 ** 31),
    hi: 2 ** 31 - 1,
  });
  expect(boundsOf(divided, [-6, 9], [-3, -2])).toMatchObject({ lo: -5, hi: 3 });
});
