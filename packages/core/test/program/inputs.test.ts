import {
  type AttentionInputs,
  attentionFeaturesOf,
  bindInputs,
  createAttention,
  describeProblem,
  type HostTensor,
  reference,
  referenceAttention,
  tensor,
  zeros,
} from "@heed/core";
import { causal, document, slidingWindow } from "@heed/core/masks";
import {
  add,
  and,
  type BlockMask,
  createBlockMask,
  equal,
  less,
  lessEqual,
  type MaskProgram,
  maskMod,
  multiply,
  scalar,
  scoreMod,
  subtract,
  table,
  where,
} from "@heed/core/program";
import { describe, expect, test } from "vitest";
import { errorOf } from "./error-of.js";
import { filled } from "./filled.js";

const [batch, heads, queryLength, keyLength] = [2, 2, 5, 7];
const call = (): AttentionInputs<HostTensor> => ({
  query: filled([batch, heads, queryLength, 3], 1),
  key: filled([batch, heads, keyLength, 3], 2),
  value: filled([batch, heads, keyLength, 2], 3),
});
const sizes = { batch, heads, queryLength, keyLength, queryBlock: 2, keyBlock: 3 };
const run = (more: Partial<AttentionInputs<HostTensor>>) =>
  referenceAttention({ ...call(), returns: { logSumExp: true, scores: "biased" }, ...more });
const outputs = (more: Partial<AttentionInputs<HostTensor>>) => {
  const { output, logSumExp } = run(more);
  return [output.data, logSumExp?.data];
};

describe("a program that says what a flag says", () => {
  test("causal", () => {
    for (const queryOffset of [0, 2, -3, [1, -2]]) {
      expect(outputs({ maskMod: causal(), queryOffset })).toEqual(
        outputs({ causal: true, queryOffset }),
      );
    }
  });

  test("window", () => {
    const window = { left: 1, right: 2 };
    expect(outputs({ maskMod: slidingWindow(window), queryOffset: "bottom-right" })).toEqual(
      outputs({ window, queryOffset: "bottom-right" }),
    );
  });

  test("positions as data", () => {
    const queryPositions = tensor(Int32Array.of(4, 0, 9, 9, 2), [1, 5]);
    const keyPositions = tensor(
      Int32Array.from({ length: 14 }, (_, i) => (i * 5) % 11),
      [2, 7],
    );
    expect(outputs({ maskMod: causal(), queryPositions, keyPositions })).toEqual(
      outputs({ causal: true, queryPositions, keyPositions }),
    );
    // A program of indices does not see positions.
    const byIndex = maskMod(({ queryIndex, keyIndex }) => lessEqual(keyIndex, queryIndex));
    expect(outputs({ maskMod: byIndex, queryPositions })).toEqual(
      outputs({ causal: true, queryOffset: 0 }),
    );
  });

  test("softcap, ALiBi and bias", () => {
    const bias = filled([5, 7], 9);
    const biases = table(bias);
    const added = scoreMod(({ score, queryIndex, keyIndex }) =>
      add(score, biases.at(queryIndex, keyIndex)),
    );
    expect(outputs({ scoreMod: added })).toEqual(outputs({ bias }));
    const slopes = table(tensor(Float32Array.of(0.5, 2), [2]));
    const alibi = scoreMod(({ score, head, query, key }) =>
      subtract(
        score,
        multiply(
          slopes.at(head),
          where(less(query, key), subtract(key, query), subtract(query, key)),
        ),
      ),
    );
    const flag = { alibiSlopes: [0.5, 2], queryOffset: 0 };
    expect(outputs({ scoreMod: alibi })).toEqual(outputs(flag));
  });

  test("a mask", () => {
    const mask = tensor(
      Array.from({ length: 70 }, (_, i) => (i * i) % 3 !== 1),
      [1, 2, 5, 7],
    );
    const visible = table(mask as HostTensor<"bool">);
    const program = maskMod(({ head, queryIndex, keyIndex }) =>
      visible.at(0, head, queryIndex, keyIndex),
    );
    expect(outputs({ maskMod: program })).toEqual(outputs({ mask }));
  });
});

test("scores after the program are what is returned as biased", () => {
  const doubled = scoreMod(({ score }) => multiply(score, 2));
  const plain = run({}).scores?.data as Float64Array;
  expect(run({ scoreMod: doubled }).scores?.data).toEqual(plain.map((s) => 2 * s));
  const capped = run({ scoreMod: doubled, returns: { scores: "capped" } }).scores?.data;
  expect(capped).toEqual(plain);
});

test("a score of −∞ hides, and what is hidden has no influence", () => {
  const hides = scoreMod(({ score, query, key }) =>
    where(lessEqual(key, query), score, Number.NEGATIVE_INFINITY),
  );
  expect(outputs({ scoreMod: hides })).toEqual(outputs({ causal: true, queryOffset: 0 }));
  const spoiled = call();
  for (let b = 0; b < 4; b++)
    (spoiled.value.data as Float32Array).fill(Number.NaN, b * 14 + 10, b * 14 + 14);
  for (let b = 0; b < 4; b++)
    (spoiled.key.data as Float32Array).fill(Number.NaN, b * 21 + 15, b * 21 + 21);
  expect(outputs({ ...spoiled, maskMod: causal() })).toEqual(outputs({ maskMod: causal() }));
  const rows = outputs({ maskMod: maskMod(false) });
  expect(new Set(rows[0])).toEqual(new Set([0]));
  expect(new Set(rows[1])).toEqual(new Set([Number.NEGATIVE_INFINITY]));
});

describe("the problem", () => {
  const ids = table(tensor(Int32Array.of(0, 0, 1, 1, 1, 2, 2), [1, 7]));
  const of = (more: Partial<AttentionInputs>) => describeProblem({ ...call(), ...more });

  test("has the programs' canonical forms", () => {
    const width = scalar(3);
    const mask = maskMod(({ query, key }) =>
      and(less(subtract(query, key), width), equal(ids.at(0, query), ids.at(0, key))),
    );
    const score = scoreMod(({ score }) => score);
    const problem = of({ maskMod: mask, scoreMod: score });
    expect(problem.maskMod).toBe(mask.form);
    expect(problem.scoreMod).toBe(score.form);
    expect([problem.blockMask, problem.positions]).toEqual([null, "fixed"]);
    expect(attentionFeaturesOf(problem)).toContain("mask program");
    expect(attentionFeaturesOf(problem)).toContain("score program");
    expect(of({}).key).not.toBe(problem.key);
    width.value = 1;
    expect(of({ maskMod: mask, scoreMod: score })).toBe(problem);
    expect(of({ maskMod: causal() }).key).not.toBe(of({ maskMod: slidingWindow({ left: 2 }) }).key);
  });

  test("needs positions only if a program reads them", () => {
    expect(of({ maskMod: maskMod(({ key }) => less(key, 3)) }).positions).toBe("none");
    const keyPositions = zeros("int32", [1, 7]);
    expect(of({ maskMod: maskMod(({ key }) => less(key, 3)), keyPositions }).positions).toBe(
      "data",
    );
    expect(of({ maskMod: causal(), queryOffset: "bottom-right" }).positions).toBe("bottom-right");
  });

  test("has the sizes of a block mask, and the program that made it", () => {
    const problem = of({ blockMask: createBlockMask(causal(), sizes) });
    expect(problem.blockMask).toEqual({ queryBlock: 2, keyBlock: 3, shape: [1, 1, 3, 3] });
    expect(problem.maskMod).toBe(causal().form);
    const data = { mask: zeros("bool", [2, 1, 3, 3]), queryBlock: 2, keyBlock: 3 };
    expect(of({ blockMask: data }).blockMask?.shape).toEqual([2, 1, 3, 3]);
    expect(of({ blockMask: data }).maskMod).toBe(null);
    expect(attentionFeaturesOf(problem)).toContain("block mask");
  });
});

describe("block masks", () => {
  test("change nothing", () => {
    const mask = slidingWindow({ left: 2, right: 1 });
    const expected = outputs({ maskMod: mask });
    const blockMask = createBlockMask(mask, sizes);
    expect(outputs({ maskMod: mask, blockMask })).toEqual(expected);
    expect(outputs({ blockMask })).toEqual(expected);
    const { queryBlock, keyBlock } = blockMask;
    expect(
      outputs({ maskMod: mask, blockMask: { mask: blockMask.mask, queryBlock, keyBlock } }),
    ).toEqual(expected);
  });

  test("as data hide whole blocks", () => {
    const blocks = tensor([true, false, true, false, true, true, true, true, false], [1, 1, 3, 3]);
    const dense = Array.from({ length: 35 }, (_, at) => {
      const [i, j] = [Math.floor(at / 7), at % 7];
      return blocks.data[Math.floor(i / 2) * 3 + Math.floor(j / 3)] === 1;
    });
    const blockMask = { mask: blocks, queryBlock: 2, keyBlock: 3 };
    expect(outputs({ blockMask })).toEqual(outputs({ mask: tensor(dense, [5, 7]) }));
    // One that another program made hides what it leaves empty, and the call's own program the rest.
    const made = createBlockMask(slidingWindow({ left: 1, right: 0 }), sizes);
    expect(outputs({ maskMod: maskMod(true), blockMask: made })).toEqual(
      outputs({ blockMask: { mask: made.mask, queryBlock: 2, keyBlock: 3 } }),
    );
    // Also where only the other program reads positions.
    const later = createBlockMask(causal(), { ...sizes, queryOffset: 2 });
    expect(outputs({ maskMod: maskMod(true), blockMask: later, queryOffset: 2 })).toEqual(
      outputs({ blockMask: { mask: later.mask, queryBlock: 2, keyBlock: 3 } }),
    );
  });

  test("are bound with what they may skip", () => {
    const mask = causal();
    const blockMask = createBlockMask(mask, sizes);
    const bind = (more: Partial<AttentionInputs<HostTensor>>) => {
      const inputs = { ...call(), ...more };
      return bindInputs(describeProblem(inputs), inputs);
    };
    expect(bind({ maskMod: mask, blockMask }).blockMask?.skipsProgram).toBe(true);
    expect(bind({ maskMod: causal(), blockMask }).blockMask?.skipsProgram).toBe(true);
    expect(bind({ maskMod: maskMod(true), blockMask }).blockMask?.skipsProgram).toBe(false);
    // A program of the same form skips its blocks where its tables are the same elements of one array.
    const ids = Int32Array.of(0, 0, 1, 1, 1, 1, 2, 0);
    const of = (data: Int32Array, offset = 0) =>
      document(tensor(data, [1, 7], { strides: [7, 1], offset }));
    const blocks = createBlockMask(of(ids), sizes);
    const skips = (maskMod: MaskProgram) =>
      bind({ maskMod, blockMask: blocks }).blockMask?.skipsProgram;
    expect([of(ids), of(ids, 1), of(ids.slice())].map(skips)).toEqual([true, false, false]);
    const data = { mask: blockMask.mask, queryBlock: 2, keyBlock: 3 };
    expect(bind({ maskMod: mask, blockMask: data }).blockMask?.skipsProgram).toBe(false);
    const bound = bind({ blockMask });
    expect(describeProblem(bound.inputs)).toBe(bound.problem);
    expect(bindInputs(bound.problem, bound.inputs).blockMask?.skipsProgram).toBe(true);
  });

  test.each<[string, () => { blockMask: BlockMask } & Partial<AttentionInputs>]>([
    [
      "another length",
      () => ({ blockMask: createBlockMask(causal(), { ...sizes, keyLength: 8 }) }),
    ],
    [
      "other heads",
      () => ({
        blockMask: createBlockMask(
          maskMod(({ head }) => less(head, 1)),
          { ...sizes, heads: 3 },
        ),
      }),
    ],
    [
      "one head where the program tells them apart",
      () => ({
        blockMask: createBlockMask(
          maskMod(({ head }) => less(head, 1)),
          { ...sizes, heads: 1 },
        ),
      }),
    ],
    [
      "another offset of one entry",
      () => ({
        blockMask: createBlockMask(causal(), { ...sizes, queryOffset: [0, 2] }),
        queryOffset: [0, 1],
      }),
    ],
    ["another offset", () => ({ blockMask: createBlockMask(causal(), sizes), queryOffset: 2 })],
    [
      "other positions",
      () => ({ blockMask: createBlockMask(causal(), sizes), keyPositions: zeros("int32", [1, 7]) }),
    ],
    [
      "a scalar's old value",
      () => {
        const width = scalar(2);
        const mask = maskMod(({ query, key }) => less(subtract(query, key), width));
        const blockMask = createBlockMask(mask, sizes);
        width.value = 3;
        return { blockMask };
      },
    ],
  ])("made for %s are refused", (_, more) => {
    expect(errorOf(() => run(more() as never)).argument).toBe("blockMask");
  });

  test("made for a batch or heads that the program does not tell apart serve any", () => {
    const blockMask = createBlockMask(causal(), { ...sizes, batch: 1, heads: 1 });
    expect(outputs({ blockMask })).toEqual(outputs({ causal: true, queryOffset: 0 }));
  });
});

describe("ragged batches and pages", () => {
  test("batch is the sequence, and indices count within it", () => {
    const inputs = {
      query: filled([1, 2, 6, 3], 1),
      key: filled([1, 2, 8, 3], 2),
      value: filled([1, 2, 8, 2], 3),
      queryStarts: [0, 2, 6],
      keyStarts: [0, 3, 8],
    };
    const limits = table(tensor(Int32Array.of(1, 4), [2]));
    const mask = maskMod(({ batch, key }) => less(key, limits.at(batch)));
    expect(referenceAttention({ ...inputs, maskMod: mask }).output.data).toEqual(
      referenceAttention({ ...inputs, kvLengths: [1, 4] }).output.data,
    );
  });
});

test.each<[string, object]>([
  ["maskMod", { maskMod: () => true }],
  ["maskMod", { maskMod: scoreMod(1) }],
  ["maskMod", { maskMod: causal().form }],
  ["maskMod", { maskMod: JSON.parse(JSON.stringify(causal())) }],
  ["scoreMod", { scoreMod: causal() }],
  ["blockMask", { blockMask: true }],
  ["blockMask.blocks", { blockMask: { blocks: 1 } }],
  [
    "blockMask.queryBlock",
    { blockMask: { mask: zeros("bool", [1, 1, 1, 1]), queryBlock: 0, keyBlock: 7 } },
  ],
  [
    "blockMask.mask",
    { blockMask: { mask: zeros("int32", [1, 1, 1, 1]), queryBlock: 5, keyBlock: 7 } },
  ],
  ["blockMask.mask", { blockMask: { mask: zeros("bool", [1, 1]), queryBlock: 5, keyBlock: 7 } }],
  ["blockMask", { blockMask: { mask: zeros("bool", [1, 1, 2, 1]), queryBlock: 5, keyBlock: 7 } }],
  ["blockMask", { blockMask: { mask: zeros("bool", [3, 1, 1, 1]), queryBlock: 5, keyBlock: 7 } }],
])("%s is at fault", (argument, more) => {
  expect(errorOf(() => describeProblem({ ...call(), ...more })).argument).toBe(argument);
});

test("a call has the scalars' values of when it was made", async () => {
  const limit = scalar(3);
  const inputs = { ...call(), maskMod: maskMod(({ key }) => less(key, limit)) };
  const expected = referenceAttention(inputs).output.data;
  const attention = await createAttention({ backends: [reference()] });
  const running = attention.run(inputs);
  limit.value = 7;
  expect((await running).output.data).toEqual(Float32Array.from(expected as Float64Array));
  const bound = bindInputs(describeProblem(inputs), inputs);
  limit.value = 1;
  expect(referenceAttention(bound.inputs).output.data).not.toEqual(
    referenceAttention(inputs).output.data,
  );
  await attention.dispose();
});

test("documents", () => {
  const ids = tensor(Int32Array.of(0, 0, 1, 1, 1, 1, 2, 0, 1, 1, 1, 2, 2, 2), [2, 7]);
  const mask = Array.from({ length: 70 }, (_, at) => {
    const [b, i, j] = [Math.floor(at / 35), Math.floor(at / 7) % 5, at % 7];
    return ids.data[b * 7 + i] === ids.data[b * 7 + j];
  });
  expect(outputs({ maskMod: document(ids) })).toEqual(
    outputs({ mask: tensor(mask, [2, 1, 5, 7]) }),
  );
});
