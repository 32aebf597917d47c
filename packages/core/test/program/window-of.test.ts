/** Programs that say what a window says. */
import { causal, dilated, document, prefixLM, slidingWindow } from "@heed/core/masks";
import * as p from "@heed/core/program";
import { expect, test } from "vitest";
import { tensor } from "../../src/index.js";

const positions = { lo: 0, hi: 99 };
const windowOf = (mask: p.MaskProgram, query = positions, key = positions) =>
  p.windowOfProgram(p.bindProgram(mask), query, key);
const reach = p.scalar(5);
const ids = tensor(new Int32Array(100), [1, 100]);

test.each([
  ["causal", causal(), { left: null, right: 0 }],
  ["a window", slidingWindow(7), { left: 7, right: 0 }],
  ["a window to the right", slidingWindow({ right: 3 }), { left: null, right: 3 }],
  ["a window beyond all keys", slidingWindow({ left: 200 }), { left: null, right: null }],
  [
    "a distance",
    p.maskMod(({ query, key }) => p.less(p.abs(p.subtract(key, query)), 4)),
    { left: 3, right: 3 },
  ],
  [
    "a scalar, and sums that grow alike",
    p.maskMod(({ query, key }) => p.greater(p.add(key, reach), p.maximum(query, p.add(query, 1)))),
    { left: 3, right: null },
  ],
  [
    "keys before the query's",
    p.maskMod(({ query, key }) => p.less(key, query)),
    { left: null, right: -1 },
  ],
] as const)("%s", (_, mask, window) => {
  expect(windowOf(mask)).toEqual(window);
});

test.each([
  ["gaps", dilated({ dilation: 3, left: 6, right: 0 })],
  ["a prefix", prefixLM(10)],
  ["documents", document(ids)],
  ["heads", p.maskMod(({ query, key, head }) => p.less(key, p.add(query, head)))],
  ["indices", p.maskMod(({ queryIndex, keyIndex }) => p.less(keyIndex, queryIndex))],
  ["products", p.maskMod(({ query, key }) => p.less(p.multiply(key, 2), p.multiply(query, 2)))],
  ["nothing", p.maskMod(false)],
  ["a sum that wraps", slidingWindow({ right: 2 ** 31 - 1 })],
  [
    "a sum with a scalar that wraps",
    p.maskMod(({ query, key }) => p.less(key, p.add(query, p.scalar(2 ** 31 - 1)))),
  ],
] as const)("no window: %s", (_, mask) => {
  expect(windowOf(mask)).toBeNull();
});

test("positions that a call has decide what is seen", () => {
  expect(windowOf(slidingWindow(50), { lo: 40, hi: 49 }, { lo: 0, hi: 49 })).toEqual({
    left: null,
    right: 0,
  });
  expect(windowOf(causal(), { lo: 100, hi: 109 })).toEqual({ left: null, right: null });
});
