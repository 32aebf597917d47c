/** A trained model writes what it has published, with every kind of cache. */
import { tensor } from "heed";
import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../src/checkpoint.js";
import { guess } from "../src/write.js";
import {
  agreement,
  attentionOn,
  type Backend,
  decode,
  folder,
  kinds,
  published,
} from "./stories.js";

if (folder === null) {
  console.warn(
    "stories of the trained model are skipped: it is neither in ../shared/models nor where HEED_MODELS says",
  );
}

describe.skipIf(folder === null)("stories260K", () => {
  const cases = [
    ["js", "paged", "in chunks"],
    ["js", "static", "token by token"],
    ["wasm", "rolling", "token by token"],
    ["wasm", "paged", "with drafts"],
    ["wasm", "static", "with drafts"],
  ] as const;

  test.each(cases)("%s, %s cache, %s: all 256 tokens", async (backend, kind, way) => {
    const { weights, ids } = await published();
    const attention = await attentionOn(backend);
    if (attention === null) return;
    const choice = kinds[kind]?.(weights.length);
    expect(await decode(attention, weights, choice as never, way, ids)).toEqual(ids);
    await attention.dispose();
  });

  test.each([
    ["js", "float16", 256],
    ["wasm", "float16", 256],
    // Each token follows the published ones: a text that has taken another turn agrees no more.
    ["js", "int8", 250],
    ["wasm", "int8", 250],
  ] as const)("%s, a cache of %s: at least %i tokens agree", async (backend, dtype, least) => {
    const { weights, ids } = await published();
    const attention = await attentionOn(backend);
    if (attention === null) return;
    const choice = { ...kinds.static?.(weights.length), dtype };
    const tokens = await decode(attention, weights, choice as never, "in chunks", ids);
    console.log(`${backend} ${dtype}: ${agreement(tokens, ids)}`);
    expect(tokens.filter((token, i) => token === ids[i]).length).toBeGreaterThanOrEqual(least);
    await attention.dispose();
  });
});

/** A model of random weights, which needs no file. */
function randomWeights(): Checkpoint {
  let state = 7;
  const numbers = (count: number, scale: number, mean = 0) =>
    Float32Array.from({ length: count }, () => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return mean + scale * (state / 2 ** 30 - 1);
    });
  const matrix = (out: number, inputs: number) => tensor(numbers(out * inputs, 0.5), [out, inputs]);
  const layer = () => ({
    attentionNorm: numbers(16, 0.1, 1),
    query: matrix(16, 16),
    key: matrix(8, 16),
    value: matrix(8, 16),
    output: matrix(16, 16),
    forwardNorm: numbers(16, 0.1, 1),
    gate: matrix(24, 16),
    down: matrix(16, 24),
    up: matrix(24, 16),
  });
  return {
    ...{ heads: 4, kvHeads: 2, headDim: 4, length: 48 },
    embedding: matrix(40, 16),
    layers: [layer(), layer()],
    norm: numbers(16, 0.1, 1),
  };
}

test.each(["js", "wasm"] as const)(
  "on %s a model of any weights writes the same in every way",
  async (backend: Backend) => {
    const weights = randomWeights();
    const attention = await attentionOn(backend);
    if (attention === null) return;
    const all = new Array<number>(40).fill(0);
    const of = (kind: string) => (kinds[kind] as (typeof kinds)[string])(weights.length);
    const text = await decode(attention, weights, of("static"), "token by token", all);
    expect(text.length).toBeGreaterThan(5);
    for (const kind of Object.keys(kinds)) {
      for (const way of ["with drafts", "in chunks"] as const) {
        const again = await decode(
          attention,
          weights,
          of(kind),
          way,
          way === "in chunks" ? text : all,
        );
        expect(again, `${kind} ${way}: ${agreement(again, text)}`).toEqual(text);
      }
    }
    await attention.dispose();
  },
);

test("guesses are what came after the last place where the text was as it is now", () => {
  expect(guess([1, 2, 3, 4, 5, 2, 3], 4)).toEqual([4, 5, 2, 3]);
  expect(guess([1, 2, 3, 9, 3], 2)).toEqual([9, 3]);
  expect(guess([1, 2, 3], 4)).toEqual([]);
  expect(guess([1], 4)).toEqual([]);
});
