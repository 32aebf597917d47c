import {
  addendProgram,
  bindProgram,
  createBlockMask,
  maskMod,
  ProgramIntervals,
  type ProgramPoint,
  programEvaluator,
  programFromJSON,
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
  fc.assert(
    fc.property(bool, float, fc.integer({ min: -30, max: 30 }), (tree, floats, offset) => {
      for (const program of [mask(tree), score(floats)]) {
        const bound = bindProgram(program);
        const evaluate = programEvaluator(bound);
        // Rows that share what depends on key − query, fewer than there are.
        const tiles = [new TileProgram(bound, 13), new TileProgram(bound, 13, 4)];
        for (const tile of tiles) tile.setBatch(1);
        for (const [tile, first, count] of tiles.flatMap((tile) => [
          [tile, 0, 13] as const,
          [tile, 13, 4] as const,
        ])) {
          tile.setKeys(first, count);
          for (const i of [0, 1, 3, 9, 2]) {
            tile.score.forEach((_, j) => {
              tile.score[j] = j - 3.5;
            });
            const given = tile.run(2, i + offset, i);
            for (let j = 0; j < count; j++) {
              const point = { ...at(1, 2, i, first + j, offset), score: j - 3.5 };
              expect(given[j]).toEqual(evaluate(point));
            }
          }
        }
      }
    }),
    settings,
  );
});

test("what a program adds to the score is a program of its own", () => {
  fc.assert(
    fc.property(float, (tree) => {
      const whole = bindProgram(
        scoreMod((variables) =>
          add(variables.score, buildNumber(tree, { ...variables, score: variables.key })),
        ),
      );
      const addend = addendProgram(whole);
      if (addend === null) return expect(whole.form.nodes.at(-1)?.op).not.toBe("add");
      const [all, added] = [programEvaluator(whole), programEvaluator(addend)];
      for (const i of [0, 3, 9]) {
        const point = { ...at(1, 2, i, 5, 2), score: -1.25 };
        expect(all(point)).toEqual(-1.25 + (added(point) as number));
      }
    }),
    settings,
  );
  const addendOf = (build: Parameters<typeof scoreMod>[0]) =>
    addendProgram(bindProgram(scoreMod(build)));
  expect(addendOf(({ score, key }) => add(key, score))).not.toBeNull();
  expect(addendOf(({ score }) => add(score, score))).toBeNull();
  expect(addendOf(({ score, key }) => add(score, add(score, key)))).toBeNull();
  expect(addendOf(({ key, query }) => add(key, query))).toBeNull();
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
