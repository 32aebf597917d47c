import { describe, expect, test } from "vitest";
import { largest, meanDistance, meanEntropy } from "../page/measure/measures.js";
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
      length: 1024,
    };
    expect(readState(writeState(state))).toEqual(state);
  });

  test.each(["?head=9", "?layer=x", "?step=0", "?view=all", "?backend=gpu", "?length=5", "?text="])(
    "%s is read as the default",
    (search) => expect(readState(search)).toEqual(initial),
  );
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
