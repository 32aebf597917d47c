// `node packages/heed/tools/learning.js [--calls 50]`: how close `select: "auto"` comes to always taking the best
// backend, on shapes of the benchmark's models. Run after a build.
//
// Every case runs in one process, by turns: the calls of an attention that learns, and a call of each backend by
// itself. Prints, for each case, the median of the learning attention's times over that of the backend with the least
// one, for the calls after the first `--calls`; and, for the first 20 calls, over the backend that comes first in the
// order. The last line has the same of the medians' sums. Medians, since whatever else the machine does lengthens single calls.
import { parseArgs } from "node:util";
import { createAttention, tensor, wasm } from "heed";
import { onnx } from "heed/onnx";

const { values } = parseArgs({ options: { calls: { type: "string", default: "50" } } });
const calls = Number(values.calls);

/** [batch, query heads, key heads, queries, keys, head size, causal] */
const cases = {
  "sentence-encoder": [1, 12, 12, 32, 32, 32, false],
  "bert-base-128": [1, 12, 12, 128, 128, 64, false],
  "minilm-l6-256": [1, 12, 12, 256, 256, 32, false],
  "vit-b16-197": [1, 12, 12, 197, 197, 64, false],
  "whisper-cross-1": [1, 6, 6, 1, 1500, 64, false],
  "llama-prefill-128": [1, 32, 8, 128, 128, 64, true],
  "llama-decode-2048": [1, 32, 8, 1, 2048, 64, false],
  tiny: [1, 1, 1, 4, 8, 16, false],
};

const fill = (shape, seed) => {
  const length = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length }, (_, i) => Math.sin(seed + i)),
    shape,
  );
};
const timed = async (attention, call) => {
  const start = performance.now();
  const { backend } = await attention.run(call);
  return { time: performance.now() - start, backend };
};
const median = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];
const idle = () => new Promise((resolve) => setTimeout(resolve, 10));

const backends = [onnx({ provider: "cpu" }), wasm(), "js"];
const quiet = { fallback: "silent", store: null };
const alone = await Promise.all(
  backends.map((backend) => createAttention({ ...quiet, backends: [backend], select: "order" })),
);
const learning = await createAttention({ ...quiet, backends });
let worst = 0;
const totals = { learning: 0, best: 0, first: 0, ordered: 0 };
for (const [name, [batch, heads, kvHeads, queries, keys, size, causal]] of Object.entries(cases)) {
  const query = fill([batch, heads, queries, size], 1);
  const key = fill([batch, kvHeads, keys, size], 2);
  const value = fill([batch, kvHeads, keys, size], 3);
  const call = { query, key, value, causal };
  const times = { learning: [], alone: backends.map(() => []) };
  let last;
  const turns = [
    async () => {
      const { time, backend } = await timed(learning, call);
      times.learning.push(time);
      last = backend;
    },
    ...alone.map((attention, j) => async () => {
      const own = times.alone[j];
      // Few calls are enough to tell a slow backend from the best one.
      const known = j === 2 && own.length >= 4 && own[3] > 20;
      own.push(known ? own[3] : (await timed(attention, call)).time);
    }),
  ];
  for (let i = 0; i < 2 * calls; i++) {
    // Whoever comes first after a pause finds other caches and sleeping threads: each does in turn.
    for (let j = 0; j < turns.length; j++) await turns[(i + j) % turns.length]();
    await idle();
  }
  const later = (list) => median(list.slice(calls));
  const first = (list) => median(list.slice(0, 20));
  const bests = times.alone.map(later);
  const best = Math.min(...bests);
  const ratio = later(times.learning) / best;
  const start = first(times.learning) / first(times.alone[0]);
  worst = Math.max(worst, ratio);
  totals.learning += later(times.learning);
  totals.best += best;
  totals.first += first(times.learning);
  totals.ordered += first(times.alone[0]);
  const shares = bests.map((time, j) => `${["onnx", "wasm", "js"][j]} ${time.toFixed(3)}`);
  console.log(
    `${name.padEnd(20)} ${ratio.toFixed(3)} of the best, first 20 ${start.toFixed(3)} of the order; ends on ${last} (ms: ${shares.join(", ")})`,
  );
}
console.log(
  `after ${calls} calls: ${(totals.learning / totals.best).toFixed(3)} of always the best, worst case ${worst.toFixed(3)}; first 20 calls: ${(totals.first / totals.ordered).toFixed(3)} of the order`,
);
await Promise.all([learning, ...alone].map((attention) => attention.dispose()));
