// Measures masks and scores as programs, in turns in one process: beside the flag, the option or the calls that say the
// same, and what a program costs for each score of a call.
//
//   node apps/bench/tools/programs.js [--backend wasm|js|onnx|webgpu] [--ms 6000] [--cost] [--only softcap] [--heads 1]
//
// after a build; under another Node by calling this with that one. Times are the processor's, on Node 24 of the one thread
// that computes, for webgpu of all threads; ratios are medians of pairs. `--cost` prints nanoseconds for each score that a
// program adds to a call of 2 heads, 1,024 tokens and head size 8. webgpu takes the adapter that Node's package `webgpu` finds, also one that imitates a GPU, for
// which `--heads` leaves the first heads alone. On a GPU the processor's time says nothing: `--wall` takes the clock's.
import { parseArgs } from "node:util";
import { contiguous, createAttention, slice, tensor } from "@heed/core";
import { swinBias } from "@heed/core/masks";
import {
  abs,
  add,
  createBlockMask,
  divide,
  equal,
  lessEqual,
  maskMod,
  maximum,
  multiply,
  remainder,
  scalar,
  scoreMod,
  subtract,
  table,
  tanh,
  where,
} from "@heed/core/program";
import { median } from "simple-statistics";
import { sparseWorkloads } from "../dist/workloads/sparse.js";
import { clocks, inTurns } from "./in-turns.js";

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: "wasm" },
    ms: { type: "string", default: "6000" },
    only: { type: "string", default: "" },
    cost: { type: "boolean", default: false },
    heads: { type: "string" },
    wall: { type: "boolean", default: false },
  },
});
const clock = clocks[values.wall ? "wall" : values.backend === "webgpu" ? "processor" : "thread"];
const ms = Number(values.ms);
const attention = await createAttention({ backends: [await provider()], selfTest: false });

async function provider() {
  switch (values.backend) {
    case "webgpu":
      return (await import("@heed/backend-webgpu")).webgpu({ allowFallbackAdapter: true });
    case "wasm":
      return (await import("@heed/backend-wasm")).wasm({ threads: 1 });
    case "onnx":
      return (await import("@heed/backend-onnx")).onnx({ threads: 1 });
    default:
      return (await import("@heed/backend-js")).js();
  }
}

const caller = (calls) => ({
  run: async () => {
    for (const inputs of calls) await attention.run(inputs);
  },
});

/** A program, what it is compared with, and the ratio of the work of both. */
const pairs = [
  ["causal-2048-program", "causal-2048-flag"],
  ["window-256-8192-program", "window-256-8192-flag"],
  ["documents-4096-program", "documents-4096-calls"],
  ["bigbird-4096-program", "full-4096"],
  ["softcap-2048-program", "softcap-2048-flag"],
];

async function compare() {
  console.log(`| ${values.backend} | compared with | ms | ms | ratio | tiles visited |`);
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (const names of pairs) {
    if (!names[0].includes(values.only)) continue;
    const loaded = await Promise.all(
      names.map((name) => sparseWorkloads.find(({ id }) => id === name).load("float32")),
    );
    const [program, flag] = loaded.map((inputs) => (inputs.calls ?? [inputs]).map(withFewerHeads));
    const [own, other] = await inTurns([caller(program), caller(flag)], clock, ms);
    const ratio = median(own.map((time, round) => time / other[round]));
    const visited = names[1] === "full-4096" ? visitedShare(program[0].blockMask) : null;
    const cells = [
      ...names,
      median(own).toPrecision(3),
      median(other).toPrecision(3),
      ratio.toFixed(3),
      visited === null ? "" : `${visited.toFixed(3)}, ratio to it ${(ratio / visited).toFixed(2)}`,
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

/** A call's first heads, if `--heads` wants fewer; a block mask is made anew for them. */
function withFewerHeads(inputs) {
  if (values.heads === undefined) return inputs;
  const [query, key, value] = [inputs.query, inputs.key, inputs.value].map((t) =>
    contiguous(slice(t, 1, 0, Number(values.heads))),
  );
  if (!inputs.blockMask) return { ...inputs, query, key, value };
  const sizes = { queryLength: query.shape[2], keyLength: key.shape[2] };
  const { queryBlock, keyBlock } = inputs.blockMask;
  const made = { ...sizes, queryBlock, keyBlock, heads: Number(values.heads) };
  return { ...inputs, query, key, value, blockMask: createBlockMask(inputs.maskMod, made) };
}

function visitedShare({ counts: { empty, partial, full } }) {
  return (partial + full) / (empty + partial + full);
}

const [heads, length, headDim] = [2, 1024, 8];
const floats = (...shape) =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * Math.random() - 1),
    shape,
  );
const strength = scalar(0.5, "float32");
const perHead = table(floats(heads));
const perPair = table(floats(heads, length, length));
const perKey = table(floats(length));
const image = { height: 32, width: 32, window: 8 };

/** Programs of the kinds that papers have: they add to the score, multiply it, choose by it, or hide. */
const programs = {
  "score × scalar": { scoreMod: scoreMod(({ score }) => multiply(score, strength)) },
  "score × a number of the head": {
    scoreMod: scoreMod(({ score, head }) => multiply(score, perHead.at(head))),
  },
  "score × a number of the key": {
    scoreMod: scoreMod(({ score, key }) => multiply(score, perKey.at(key))),
  },
  "ALiBi: score + slope · |query − key|": {
    scoreMod: scoreMod(({ score, head, query, key }) =>
      add(score, multiply(perHead.at(head), abs(subtract(query, key)))),
    ),
  },
  "score + bias[head, query, key]": {
    scoreMod: scoreMod(({ score, head, query, key }) => add(score, perPair.at(head, query, key))),
  },
  "score · scalar + bias[head, query, key]": {
    scoreMod: scoreMod(({ score, head, query, key }) =>
      add(multiply(score, strength), perPair.at(head, query, key)),
    ),
  },
  "Swin's relative bias": { scoreMod: swinBias(floats(15 ** 2, heads), image) },
  "score where key ≤ query, else score − 5": {
    scoreMod: scoreMod(({ score, query, key }) =>
      where(lessEqual(key, query), score, subtract(score, 5)),
    ),
  },
  "largest of score and 0": { scoreMod: scoreMod(({ score }) => maximum(score, 0)) },
  "cap: 50 · tanh(score / 50)": {
    scoreMod: scoreMod(({ score }) => multiply(tanh(divide(score, 50)), 50)),
  },
  "mask: (key + 7 · query) % 5 ≠ 0": {
    maskMod: maskMod(({ query, key }) =>
      equal(equal(remainder(add(key, multiply(query, 7)), 5), 0), false),
    ),
  },
};

async function cost() {
  const [query, key, value] = [0, 1, 2].map(() => floats(1, heads, length, headDim));
  console.log("| program | ns a score | ratio to none |");
  console.log("| --- | --- | --- |");
  for (const [name, program] of Object.entries(programs)) {
    if (!name.includes(values.only)) continue;
    const calls = [
      { query, key, value, ...program },
      { query, key, value },
    ];
    const [own, none] = await inTurns(
      calls.map((call) => caller([call])),
      clock,
      ms,
    );
    const added = median(own.map((time, round) => time - none[round]));
    const ratio = median(own.map((time, round) => time / none[round]));
    const ns = (added * 1e6) / (heads * length ** 2);
    console.log(`| ${name} | ${ns.toFixed(2)} | ${ratio.toFixed(3)} |`);
  }
}

await (values.cost ? cost() : compare());
process.exit(0);
