// Measures a ragged batch of sequences of 20 to 2,000 tokens against the padded one, on wasm with one thread, beside
// the share of the work that the ragged one has: causal self-attention (8 heads on 2) and a step of decoding (32 on
// 8), head size 64.
//
//   node apps/bench/tools/ragged.js [--ms 6000]
//
// after a build; under another Node by calling this with that one. Times are the processor's.
import { parseArgs } from "node:util";
import { wasm } from "@heed/backend-wasm";
import { createAttention, tensor } from "@heed/core";
import { median } from "simple-statistics";
import { clocks, inTurns } from "./in-turns.js";

const { values } = parseArgs({ options: { ms: { type: "string", default: "6000" } } });
const lengths = [20, 45, 100, 200, 400, 700, 1200, 2000];
const longest = Math.max(...lengths);
const batch = lengths.length;
const starts = new Int32Array(batch + 1);
for (const [b, length] of lengths.entries()) starts[b + 1] = starts[b] + length;
const total = starts[batch];

const attention = await createAttention({ backends: [wasm({ threads: 1 })], selfTest: false });
const random = (...shape) =>
  attention.upload(
    tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * Math.random() - 1),
      shape,
    ),
  );
const headDim = 64;
const causal = true;

async function call(entries, rows, keys, heads, more) {
  const query = await random(entries, heads, rows, headDim);
  const [key, value] = [
    await random(entries, heads / 4, keys, headDim),
    await random(entries, heads / 4, keys, headDim),
  ];
  return async () => {
    const { output } = await attention.run({ query, key, value, causal, ...more });
    output.dispose();
  };
}

const one = Int32Array.from({ length: batch + 1 }, (_, b) => b);
const queryOffset = "bottom-right";
const pairs = (n) => (n * (n + 1)) / 2;
const sum = (of) => lengths.reduce((all, n) => all + of(n), 0);
const cases = [
  {
    name: "self-attention",
    work: sum(pairs) / (batch * pairs(longest)),
    ragged: await call(1, total, total, 8, { queryStarts: starts, keyStarts: starts }),
    padded: await call(batch, longest, longest, 8, {}),
  },
  {
    name: "a step of decoding",
    work: total / (batch * longest),
    ragged: await call(1, batch, total, 32, { queryStarts: one, keyStarts: starts, queryOffset }),
    padded: await call(batch, 1, longest, 32, { queryOffset }),
  },
];
console.log(`node ${process.versions.node}, ${batch} sequences of ${lengths.join(", ")} tokens`);
for (const { name, work, ragged, padded } of cases) {
  const contenders = [{ run: ragged }, { run: padded }];
  const [short, long] = await inTurns(contenders, clocks.processor, Number(values.ms));
  const ratio = median(short.map((ms, round) => ms / long[round]));
  console.log(
    `${name}: ${median(short).toFixed(2)} ms ragged, ${median(long).toFixed(2)} padded; ${ratio.toFixed(3)} of the time for ${work.toFixed(3)} of the work`,
  );
}
process.exit(0);
