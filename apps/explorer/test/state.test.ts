import { describe, expect, test } from "vitest";
import { blocksOf, masks, type NamedMask } from "../page/measure/masks.js";
import { largest, meanDistance, meanEntropy } from "../page/measure/measures.js";
import { patchGrids } from "../page/measure/patches.js";
import { type NamedScores, scoreLength, scorePrograms, scoresOf } from "../page/measure/scores.js";
import { initial, readState, type State, writeState } from "../page/state/state.js";
import { StripCache, stripsInView } from "../page/state/strips.js";

describe("the address", () => {
  test("says what differs from the defaults, and reads back", () => {
    expect(writeState(initial)).toBe("");
    const state: State = {
      view: "explore",
      text: "a & b = c?",
      layer: 1,
      head: 3,
      token: 2,
      step: 4,
      backend: "js",
      other: "wasm",
      causal: true,
      show: "difference",
      otherLayer: 1,
      otherHead: 2,
      second: "d & e",
      length: 1024,
      model: "./model/recogniser.onnx",
      feeds: "./feeds.npz",
      sizes: "batch=2,length=9",
      words: "A & B",
      site: 1,
      siteHead: 7,
      query: 12,
      grid: 3,
      mask: "window",
      tile: 32,
      scores: "cap",
      scoreHead: 5,
    };
    expect(readState(writeState(state))).toEqual(state);
  });

  test("leaves out a file that was opened", () => {
    expect(writeState({ ...initial, view: "model", model: "blob:x", site: 1 })).toBe(
      "?view=model&site=1",
    );
  });

  test.each([
    "?head=9",
    "?layer=x",
    "?step=0",
    "?view=all",
    "?backend=gpu",
    "?length=5",
    "?text=",
    "?tile=7",
    "?scoreHead=8",
  ])("%s is read as the default", (search) => expect(readState(search)).toEqual(initial));
});

describe("measures of weights", () => {
  test("entropy is 0 where one key has all, and the logarithm where all have alike", () => {
    expect(meanEntropy(Float32Array.of(1, 0, 0, 1), 2)).toBe(0);
    expect(meanEntropy(new Float32Array(64).fill(1 / 8), 8)).toBeCloseTo(3, 6);
  });

  test("distance counts places, weighted", () => {
    expect(meanDistance(Float32Array.of(1, 0, 0, 1), 2)).toBe(0);
    expect(meanDistance(Float32Array.of(0, 1, 0.5, 0.5), 2)).toBe(0.75);
  });

  test("largest finds indices, the first of equals first", () => {
    expect(largest(Float32Array.of(1, 3, 3, 2), 3)).toEqual([1, 2, 3]);
  });
});

describe("strips of a long text", () => {
  test.each([
    [0, 100, 1, 4096, [0, 1]],
    [64, 64, 1, 4096, [1]],
    [4000, 640, 1, 4096, [62, 63]],
    [640, 640, 10, 130, [1]],
    [0, 640, 2, 10, [0]],
  ])(
    "scrolled %i px, %i px high, %i px a cell, %i rows",
    (scrolled, height, cell, rows, strips) => {
      expect(stripsInView(scrolled, height, cell, rows)).toEqual(strips);
    },
  );

  test("the one looked at longest ago is given up, and one too large is kept alone", () => {
    const cache = new StripCache(80);
    for (const key of ["a", "b"]) cache.set(key, new Float32Array(10));
    cache.get("a");
    cache.set("c", new Float32Array(10));
    expect(["a", "b", "c"].filter((key) => cache.get(key))).toEqual(["a", "c"]);
    cache.set("d", new Float32Array(100));
    expect(["a", "c", "d"].filter((key) => cache.get(key))).toEqual(["d"]);
  });
});

describe("patches of a picture", () => {
  test("are as square as they can be, and a class token may stand before them", () => {
    expect(patchGrids(196, 224, 224)[0]).toEqual({ rows: 14, columns: 14, before: 0 });
    expect(patchGrids(197, 224, 224)[0]).toEqual({ rows: 14, columns: 14, before: 1 });
    expect(patchGrids(12, 80, 60)[0]).toEqual({ rows: 3, columns: 4, before: 0 });
    expect(patchGrids(20, 160, 48).find(({ rows }) => rows === 1)).toEqual({
      rows: 1,
      columns: 20,
      before: 0,
    });
  });
});

describe("pictured masks", () => {
  test("a causal mask skips the tiles above its diagonal, and masks those on it", () => {
    const { program } = masks.find(({ name }) => name === "causal") as NamedMask;
    expect(blocksOf(program(), 64).counts).toEqual({ empty: 120, partial: 16, full: 120 });
  });

  test.each(masks.map(({ name, program }) => [name, program] as const))(
    "%s: a tile is skipped where no element of it is seen",
    (_, program) => {
      const made = program();
      const blocks = blocksOf(made, 128);
      const smaller = blocksOf(made, 64);
      for (let query = 0; query < 8; query++) {
        for (let key = 0; key < 8; key++) {
          const parts = [0, 1].flatMap((q) =>
            [0, 1].map((k) => smaller.kind(0, 0, 2 * query + q, 2 * key + k)),
          );
          const empty = parts.every((kind) => kind === "empty");
          expect(blocks.kind(0, 0, query, key) === "empty").toBe(empty);
        }
      }
    },
  );
});

describe("pictured score programs", () => {
  const named = (name: string) => scorePrograms.find((one) => one.name === name) as NamedScores;
  const scoreAt = (name: string, head: number, query: number, key: number) =>
    scoresOf(named(name), head).row(query)?.[key];

  test("ALiBi subtracts the distance times the head's slope, and hides keys after the query", () => {
    expect(scoreAt("alibi", 0, 40, 30)).toBe(-5);
    expect(scoreAt("alibi", 7, 40, 30)).toBe(-10 / 256);
    expect(scoreAt("alibi", 7, 40, 41)).toBeNaN();
    const { hidden, range, counts } = scoresOf(named("alibi"), 0);
    expect(hidden).toBe((scoreLength * (scoreLength - 1)) / 2);
    expect(range).toEqual([-31.5, 0]);
    expect(counts).toEqual([16, 6]);
  });

  test("Swin's bias is the same for the same distance within a window", () => {
    // Rows and columns are rolled by two: pixels 18 to 21 are the first row of a window.
    const a = scoreAt("swin", 3, 18, 19);
    expect(a).toBe(scoreAt("swin", 3, 19, 20));
    expect(a).toBe(scoreAt("swin", 3, 27, 28));
    expect(a).not.toBe(scoreAt("swin", 4, 18, 19));
    expect(scoreAt("swin", 3, 18, 22)).toBeNaN();
  });

  test("buckets hold more distances the farther they are", () => {
    const row = scoresOf(named("buckets"), 2).row(63) as Float32Array;
    const runs = [1];
    for (let distance = 1; distance < 64; distance++) {
      const same = row[63 - distance] === row[64 - distance];
      if (same) runs.push((runs.pop() as number) + 1);
      else runs.push(1);
    }
    expect(runs.slice(0, 8)).toEqual(Array(8).fill(1));
    expect(runs).toHaveLength(16);
    expect(runs.at(-1)).toBeGreaterThan(10);
  });

  test("a cap keeps scores within its range, whatever the query", () => {
    const { range, hidden } = scoresOf(named("cap"), 0);
    expect(hidden).toBe(0);
    expect(range[1]).toBeCloseTo(50 * Math.tanh(3), 4);
    expect(range[0]).toBeCloseTo(-50 * Math.tanh(3), 4);
    expect(scoreAt("cap", 0, 5, 40)).toBe(scoreAt("cap", 0, 50, 40));
  });
});
