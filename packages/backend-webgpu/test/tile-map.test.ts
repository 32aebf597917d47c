/** The map of tiles that kernels read: what a conformance case cannot see, since a map that hides nothing is right, too. */
import { type AttentionInputs, attention, describeProblem, tensor, zeros } from "@heed/core";
import { bigBird, bigBirdRandomBlocks, causal, document } from "@heed/core/masks";
import { and, createBlockMask, lessEqual, maskMod, scalar, subtract } from "@heed/core/program";
import { expect, test } from "vitest";
import { choose } from "../src/attention/choose.js";
import { ProgramData } from "../src/attention/programs/data.js";
import { programLayout } from "../src/attention/programs/layout.js";
import { ownRulesBytes } from "../src/attention/rules.js";
import { floor } from "../src/capabilities.js";

const software = { ...floor, software: true, subgroups: true };

interface Call {
  readonly batch?: number;
  readonly heads?: readonly [query: number, key: number];
  readonly lengths: readonly [query: number, key: number];
}

function call({ batch = 1, heads = [1, 1], lengths }: Call): AttentionInputs {
  const [queryLength, keyLength] = lengths;
  return {
    query: zeros("float32", [batch, heads[0], queryLength, 64]),
    key: zeros("float32", [batch, heads[1], keyLength, 64]),
    value: zeros("float32", [batch, heads[1], keyLength, 64]),
  };
}

/** A call's map, one line a row of it: empty, partial and full tiles. */
function mapOf(inputs: AttentionInputs, capabilities = software): string[] {
  const problem = describeProblem(inputs);
  const choice = choose(problem, capabilities);
  const layout = programLayout(problem, choice, ownRulesBytes(problem, choice) / 16);
  if (layout === null) throw new Error("no programs");
  const words = new ProgramData(problem, choice, layout).words(attention.bind(problem, inputs));
  const lines: string[] = [];
  for (const { at, batches, heads, count, words: stride, tiles } of layout.maps) {
    for (let row = 0; row < batches * heads * count; row++) {
      let line = "";
      for (let tile = 0; tile < tiles; tile++) {
        const word = words[at + row * stride + (tile >> 4)] as number;
        line += ".+#?"[(word >> (2 * (tile & 15))) & 3];
      }
      lines.push(line);
    }
  }
  return lines;
}

const square = call({ lengths: [256, 256], heads: [8, 8] });
const triangle = ["++......", "##++....", "####++..", "######++"];

test("a causal program leaves a triangle, shared by heads and batch entries", () => {
  const two = call({ batch: 2, lengths: [256, 256], heads: [8, 8] });
  expect(mapOf({ ...square, maskMod: causal() })).toEqual(triangle);
  expect(mapOf({ ...two, maskMod: causal() })).toEqual(triangle);
});

test("a block mask of the program says the same, and one that is data hides without it", () => {
  const maskMod = causal();
  const sizes = { queryLength: 256, keyLength: 256, queryBlock: 64, keyBlock: 64 };
  const blockMask = createBlockMask(maskMod, sizes);
  expect(mapOf({ ...square, maskMod, blockMask })).toEqual(triangle);
  const { mask, queryBlock, keyBlock } = blockMask;
  const data = { mask, queryBlock, keyBlock };
  expect(mapOf({ ...square, blockMask: data })).toEqual(
    triangle.map((line) => line.replaceAll("+", "#")),
  );
  expect(mapOf({ ...square, maskMod, blockMask: data })).toEqual(triangle);
  // Blocks that end within tiles: those are partial.
  const odd = createBlockMask(maskMod, { ...sizes, queryBlock: 100, keyBlock: 100 });
  const { mask: oddMask } = odd;
  const odds = mapOf({ ...square, blockMask: { mask: oddMask, queryBlock: 100, keyBlock: 100 } });
  expect(odds).toEqual(["###+....", "###++++.", "######+.", "######++"]);
});

test("scalars and offsets move a window", () => {
  const left = scalar(32);
  const window = maskMod(({ query, key }) =>
    and(lessEqual(key, query), lessEqual(subtract(query, key), left)),
  );
  const inputs = { ...square, maskMod: window };
  expect(mapOf(inputs)).toEqual(["++......", ".+++....", "...+++..", ".....+++"]);
  expect(mapOf({ ...inputs, queryOffset: 64 })[0]).toBe(".+++....");
  left.value = 0;
  expect(mapOf(inputs)[1]).toBe("..++....");
});

test("documents differ between batch entries, and decoding looks at its own keys", () => {
  const ids = tensor(
    Int32Array.from({ length: 512 }, (_, i) => (i < 256 ? i >> 7 : i >> 6)),
    [2, 256],
  );
  const documents = maskMod(and(causal(), document(ids)));
  const inputs = { ...call({ batch: 2, lengths: [256, 256], heads: [8, 8] }), maskMod: documents };
  expect(mapOf(inputs)).toEqual([
    ...["++......", "##++....", "....++..", "....##++"],
    ...["++......", "..++....", "....++..", "......++"],
  ]);
  const step = call({ batch: 2, lengths: [1, 256], heads: [8, 8] });
  expect(mapOf({ ...step, maskMod: documents, queryOffset: 255 })).toEqual([
    "....####",
    "......##",
  ]);
});

test("heads have maps of their own where the program tells them apart", () => {
  const random = bigBirdRandomBlocks({ length: 512, block: 32, heads: 8, count: 1, seed: 3 });
  const maskMod = bigBird({ length: 512, block: 32, random });
  const inputs = { ...call({ lengths: [512, 512], heads: [8, 8] }), maskMod };
  const sizes = { heads: 8, queryLength: 512, keyLength: 512, queryBlock: 32, keyBlock: 32 };
  const lines = mapOf({ ...inputs, blockMask: createBlockMask(maskMod, sizes) });
  expect(lines.length).toBe(8 * 8);
  expect(new Set([0, 1, 2, 3].map((head) => lines.slice(8 * head, 8 * head + 8).join())).size).toBe(
    4,
  );
  // Rows in the middle visit two global blocks, four neighbours and at most two random ones.
  for (const line of lines.filter((_, row) => row % 8 > 0 && row % 8 < 7)) {
    expect(line.replaceAll(".", "").length).toBeLessThanOrEqual(8);
  }
});

test("rows in lists have maps for each item", () => {
  const inputs = call({ lengths: [96, 96], heads: [8, 4] });
  const ragged = {
    ...inputs,
    queryStarts: Int32Array.of(0, 64, 64, 96),
    keyStarts: Int32Array.of(0, 64, 64, 96),
    maskMod: causal(),
  };
  const lines = mapOf(ragged, { ...software, software: false });
  // On a GPU, 64 stacked rows are 32 queries of two heads.
  expect(lines.filter((line) => /[+#]/.test(line))).toEqual(["+..", "#+.", "+.."]);
});

test("the same words are one object until something changes", () => {
  const ids = new Int32Array(256);
  const maskMod_ = maskMod(and(causal(), document(tensor(ids, [1, 256]))));
  const inputs = { ...square, maskMod: maskMod_ };
  const problem = describeProblem(inputs);
  const choice = choose(problem, software);
  const layout = programLayout(problem, choice, ownRulesBytes(problem, choice) / 16);
  const data = new ProgramData(problem, choice, layout as NonNullable<typeof layout>);
  const words = data.words(attention.bind(problem, inputs));
  expect(data.words(attention.bind(problem, inputs))).toBe(words);
  ids.fill(1, 128);
  const changed = data.words(attention.bind(problem, inputs));
  expect(changed).not.toBe(words);
  expect([...changed]).not.toEqual([...words]);
});
