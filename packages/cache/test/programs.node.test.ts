/** Programs, block masks and ALiBi beside the inputs of a cache go by the positions of tokens. */
import { type Attention, tensor } from "@heed/core";
import {
  abs,
  add,
  createBlockMask,
  equal,
  maskMod,
  multiply,
  or,
  remainder,
  scoreMod,
  subtract,
  table,
} from "@heed/core/program";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn, providers, refusalOf } from "../../../test/backends.js";
import { type CacheInputs, type CacheOptions, createCache } from "../src/index.js";
import { complete, Modelled, type RulesOf, randomFrom, sizes } from "./history.js";

const kinds = {
  static: { kind: "static", capacity: 26 },
  rolling: { kind: "rolling", capacity: 18, window: 5, keep: 3 },
  paged: { kind: "paged", capacity: 64, pageSize: 4, maxLength: 26 },
} as const satisfies Readonly<Record<string, Partial<CacheOptions>>>;

/** Document of each token of both batch entries. */
const length = 26;
const documents = Int32Array.from({ length: 2 * length }, (_, at) => {
  const [b, t] = [Math.floor(at / length), at % length];
  return Math.floor((t + 3 * b) / 7);
});

/** Keys of the query's own document, and every fifth token. */
const documentMask = (entries: readonly number[]) => {
  const rows = entries.flatMap((b) => [...documents.subarray(b * length, (b + 1) * length)]);
  const ids = table(tensor(Int32Array.from(rows), [entries.length, length]));
  return maskMod(({ batch, query, key }) =>
    or(equal(ids.at(batch, query), ids.at(batch, key)), equal(remainder(key, 5), 0)),
  );
};

const byDistance = scoreMod(({ score, head, query, key }) =>
  add(score, multiply(multiply(-0.25, add(head, 1)), abs(subtract(query, key)))),
);

const rules: Readonly<Record<string, RulesOf>> = {
  maskMod: (entries) => ({ maskMod: documentMask(entries) }),
  "maskMod and scoreMod": (entries) => ({ maskMod: documentMask(entries), scoreMod: byDistance }),
  alibiSlopes: () => ({ alibiSlopes: [0.5, 0.25, 0.125, 0.0625] }),
};

/** Chunks, some of which are longer than a window, and how many of their tokens each entry has. */
const chunks: readonly (readonly [number, readonly [number, number] | undefined])[] = [
  [5, undefined],
  [1, undefined],
  [7, [7, 2]],
  [1, undefined],
  [3, [1, 3]],
  [7, undefined],
  [1, [0, 1]],
];

describe.each(Object.keys(providers))("on %s", (backend) => {
  let attention: Attention | null;
  beforeAll(async () => {
    attention = await attentionOn(backend);
  }, 60_000);
  afterAll(() => attention?.dispose());

  const dtypes = backend === "webgpu" ? (["float32"] as const) : (["float32", "int8"] as const);
  const cases = Object.keys(rules).flatMap((rule) =>
    Object.keys(kinds).flatMap((kind) => dtypes.map((dtype) => ({ rule, kind, dtype }))),
  );
  test.each(cases)("$rule, $kind, $dtype", async ({ rule, kind, dtype }) => {
    if (attention === null) return;
    const running = attention;
    const options = { ...sizes, ...kinds[kind as keyof typeof kinds], dtype };
    const of = rules[rule] as RulesOf;
    const refusal = await refusalOf(async () => {
      const random = randomFrom(11);
      const modelled = new Modelled(running, await createCache(running, options), options);
      await modelled.poison();
      for (const [n, counts] of chunks) {
        await modelled.append(random, n, counts);
        await modelled.check(random, n, counts, of);
        if (n > 1) await modelled.check(random, 1, undefined, of);
      }
      modelled.truncate(modelled.cache.lengths.map((tokens) => tokens - 2));
      await modelled.append(random, 2, undefined);
      await modelled.check(random, 2, undefined, of);
      modelled.cache.dispose();
    });
    if (refusal !== null) expect(complete, refusal).not.toContain(backend);
  });

  test.each(["static", "paged"] as const)("blockMask, %s", async (kind) => {
    if (attention === null) return;
    const running = attention;
    const options = { ...sizes, ...kinds[kind] };
    const blocksOf = (program: ReturnType<typeof documentMask>, inputs: CacheInputs, n: number) => {
      const { key, pageTable, queryOffset, kvLengths } = inputs;
      const rows = (pageTable?.shape[1] ?? 1) * (key.shape[2] as number);
      const starts = queryOffset === "bottom-right" ? kvLengths.map((end) => end - n) : queryOffset;
      const blockMask = createBlockMask(program, {
        batch: 2,
        queryLength: n,
        keyLength: rows,
        queryBlock: 2,
        keyBlock: 4,
        queryOffset: starts as Int32Array,
      });
      expect(blockMask.counts.empty).toBeGreaterThan(0);
      return blockMask;
    };
    const refusal = await refusalOf(async () => {
      const random = randomFrom(12);
      const modelled = new Modelled(running, await createCache(running, options), options);
      await modelled.poison();
      for (const [n, counts] of chunks) {
        await modelled.append(random, n, counts);
        // One that brings its program along, and one that is data beside the program.
        const program = documentMask([0, 1]);
        const brought = (inputs: CacheInputs) => ({
          maskMod: undefined,
          blockMask: blocksOf(program, inputs, n),
        });
        await modelled.check(random, n, counts, rules.maskMod, brought);
        const data = (inputs: CacheInputs) => {
          const { mask, queryBlock, keyBlock } = blocksOf(program, inputs, n);
          return { blockMask: { mask, queryBlock, keyBlock } };
        };
        await modelled.check(random, n, counts, rules.maskMod, data);
      }
      modelled.cache.dispose();
    });
    if (refusal !== null) expect(complete, refusal).not.toContain(backend);
  });
});

test("a call may look less far back than a rolling cache does, and sees kept tokens all the same", async () => {
  const attention = (await attentionOn("js")) as Attention;
  const options = { ...sizes, ...kinds.rolling } as const;
  const random = randomFrom(13);
  const modelled = new Modelled(attention, await createCache(attention, options), options);
  for (const n of [7, 2, 1]) {
    await modelled.append(random, n, undefined);
    const narrow = new Modelled(
      attention,
      modelled.cache,
      { ...options, window: 2 },
      modelled.tokens as never,
    );
    const inputs = () => modelled.cache.inputs({ window: 2 });
    await narrow.check(random, n, undefined, undefined, () => ({ mask: undefined, ...inputs() }));
    // A longer window than the cache's own is the cache's own.
    const far = () => modelled.cache.inputs({ window: 40 });
    await modelled.check(random, n, undefined, undefined, () => ({ mask: undefined, ...far() }));
  }
  modelled.cache.dispose();
  await attention.dispose();
});
