// Measures `createBlockMask` of `@heed/core/program`: the time to classify the blocks of 65,536 queries and as many
// keys, and the memory that the result holds.
//
//   node --expose-gc tools/block-mask.js [length] [block]
//
// in apps/bench, after a build; prints a row of Markdown for each mask.
import { tensor } from "@heed/core";
import { bigBird, causal, document, longformer, slidingWindow } from "@heed/core/masks";
import { and, createBlockMask, maskMod } from "@heed/core/program";
import { median } from "simple-statistics";

const length = Number(process.argv[2] ?? 65_536);
const block = Number(process.argv[3] ?? 128);
const runs = 5;

/** Documents of 37 to 4,132 tokens, in an order that follows from their number. */
function documents() {
  const ids = new Int32Array(length);
  for (let at = 0, id = 0; at < length; id++) {
    const end = Math.min(length, at + 37 + ((id * 2654435761) % 4096));
    ids.fill(id, at, end);
    at = end;
  }
  return tensor(ids, [1, length]);
}

const first = tensor(
  Uint8Array.from({ length }, (_, at) => (at < 16 ? 1 : 0)),
  [1, length],
  { dtype: "bool" },
);

const masks = {
  causal: causal(),
  "causal, documents": maskMod(() => and(causal(), document(documents()))),
  documents: document(documents()),
  "window of 256": slidingWindow(255),
  "BigBird, blocks of 64": bigBird({ length, block: 64 }),
  "Longformer, 256 and 16 global": longformer({ window: 256, global: first }),
};

/** Bytes of the arrays that a block mask holds. */
const heldBytes = ({ rows: { starts, first, end, full } }) =>
  starts.byteLength + first.byteLength + end.byteLength + full.byteLength;

console.log("| mask | ms | first | MiB while it is made | KiB held | blocks skipped |");
console.log("| --- | --- | --- | --- | --- | --- |");
for (const [name, mask] of Object.entries(masks)) {
  const options = { queryLength: length, keyLength: length, queryBlock: block, keyBlock: block };
  const times = [];
  let made;
  let grown = 0;
  for (let run = 0; run < runs; run++) {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const start = performance.now();
    made = createBlockMask(mask, options);
    times.push(performance.now() - start);
    const after = process.memoryUsage();
    grown = Math.max(grown, after.heapUsed + after.arrayBuffers - heapUsed - arrayBuffers);
  }
  const { empty, partial, full } = made.counts;
  const skipped = (100 * empty) / (empty + partial + full);
  const cells = [
    name,
    median(times).toFixed(1),
    times[0].toFixed(1),
    (grown / 2 ** 20).toFixed(1),
    (heldBytes(made) / 1024).toFixed(0),
    `${skipped.toFixed(1)} %`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
