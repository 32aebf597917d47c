/**
 * Pictures of the masks that have names: of each query, a row, the keys that it sees. They are computed by the
 * programs themselves, for the guide page on masks and scores as programs; `test/mask-pictures.node.test.ts` writes
 * and checks them.
 *
 * @module
 */
import { tensor } from "@heed/core";
import {
  area,
  bigBird,
  bigBirdRandomBlocks,
  causal,
  dilated,
  document,
  longformer,
  neighbourhood,
  prefixLM,
  slidingWindow,
  swin,
  tree,
} from "@heed/core/masks";
import { and, bindProgram, maskMod, programEvaluator } from "@heed/core/program";

const length = 36;
const ids = Int32Array.from({ length }, (_, at) =>
  [9, 14, 27, length].findIndex((end) => at < end),
);
const documents = tensor(ids, [1, length]);
const global = tensor(
  Array.from({ length }, (_, at) => at === 0 || at === 20),
  [1, length],
);
const blocks = { length, block: 4 };
const random = bigBirdRandomBlocks({ ...blocks, heads: 1, count: 1, seed: 3 });
const parents = Array.from({ length: 12 }, (_, at) => [-1, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 6][at]);

/** The pictured masks, with the numbers of their queries and keys. */
const masks = {
  causal: [causal(), length, length],
  slidingWindow: [slidingWindow(8), length, length],
  prefixLM: [prefixLM(10), length, length],
  document: [maskMod(and(causal(), document(documents))), length, length],
  dilated: [dilated({ dilation: 3, left: 6, right: 0 }), length, length],
  bigBird: [bigBird({ ...blocks, random }), length, length],
  longformer: [longformer({ window: 3, global }), length, length],
  neighbourhood: [neighbourhood({ height: 6, width: 6, kernel: 3 }), length, length],
  swin: [swin({ height: 6, width: 6, window: 3, shift: 1 }), length, length],
  area: [area({ length, areas: 4 }), length, length],
  tree: [tree({ parents, prefix: 8 }), 12, 20],
};

/** Pictures as SVG, by the mask's name. */
export function maskPictures() {
  return Object.fromEntries(
    Object.entries(masks).map(([name, [mask, queries, keys]]) => [
      name,
      picture(name, mask, queries, keys),
    ]),
  );
}

function picture(name, mask, queries, keys) {
  const visible = programEvaluator(bindProgram(mask));
  const path = [];
  for (let query = 0; query < queries; query++) {
    const sees = (key) =>
      key < keys &&
      visible({ batch: 0, head: 0, query, key, queryIndex: query, keyIndex: key }) === 1;
    for (let key = 0; key < keys; key++) {
      if (!sees(key)) continue;
      const first = key;
      while (sees(key + 1)) key++;
      path.push(`M${first} ${query}h${key + 1 - first}v1h${first - key - 1}z`);
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${keys} ${queries}" width="${5 * keys}" height="${5 * queries}" role="img">`,
    `  <title>${name}: rows are queries, columns keys</title>`,
    `  <rect width="${keys}" height="${queries}" fill="#e8edf3"/>`,
    `  <path fill="#2f6fb5" d="${path.join("")}"/>`,
    "</svg>",
    "",
  ].join("\n");
}
