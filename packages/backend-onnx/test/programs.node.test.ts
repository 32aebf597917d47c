import { onnx } from "@heed/backend-onnx";
import { type AttentionInputs, describeProblem, type HostTensor, tensor } from "@heed/core";
import * as p from "@heed/core/program";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import {
  expectFullBlocksUnasked,
  expectHiddenBlocksUnread,
  notFinite,
} from "../../core/test/program/skipped-blocks.js";
import { expectAsReference, Numbers } from "./call-of.js";
import { expectOperations } from "./program-operations.js";

test.each(["float32", "float64"] as const)(
  "each operation gives its defined result, %s",
  async (dtype) => {
    const backend = await onnx({ provider: "cpu", threads: 1 }).load();
    await expectOperations(backend, dtype, dtype === "float32" ? 4e-7 : 1e-14);
    await backend.dispose();
  },
);

test("tables, scalars and blocks change without another session", async () => {
  let sessions = 0;
  const create = (model: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
    sessions += 1;
    return ort.InferenceSession.create(model, options);
  };
  const runtime = { env: ort.env, Tensor: ort.Tensor, InferenceSession: { create } };
  const backend = await onnx({ provider: "cpu", threads: 1, runtime }).load();
  const numbers = new Numbers(7);
  const x = numbers.tensor(2, 2, 12, 8);
  const width = p.scalar(3);
  const softness = p.scalar(0.5);
  const flipped = p.scalar(false);
  const call = (
    ids: readonly number[],
    visited: readonly boolean[],
  ): AttentionInputs<HostTensor> => {
    // A table of another size, which is no part of the program either.
    const document = p.table(tensor(Int32Array.from(ids), [ids.length]));
    return {
      query: x,
      key: x,
      value: x,
      maskMod: p.maskMod(({ query, key }) =>
        p.or(
          p.and(p.equal(document.at(query), document.at(key)), p.not(flipped)),
          p.less(p.abs(p.subtract(query, key)), width),
        ),
      ),
      scoreMod: p.scoreMod(({ score, head }) => p.multiply(score, p.add(softness, head))),
      blockMask: { mask: tensor([...visited], [1, 2, 2, 3]), queryBlock: 6, keyBlock: 5 },
    };
  };
  const most = [...Array(12).keys()].map((n) => n !== 3 && n !== 7);
  const first = call([0, 0, 1, 1, 2, 2, 2], most);
  const plan = await backend.plan(describeProblem(first));
  const before = sessions;
  expectAsReference(await plan.run(first), first);
  [width.value, softness.value] = [1, -2];
  expectAsReference(await plan.run(first), first);
  flipped.value = true;
  const second = call(
    [4, 5, 4, 5, 4, 5, 6, 6, 6, 6, 6, 1],
    most.map((_, n) => n % 5 !== 1),
  );
  expectAsReference(await plan.run(second), second);
  expect(sessions).toBe(before);
  plan.dispose();
  await backend.dispose();
});

test.each(["cpu", "wasm"] as const)(
  "what a call stores otherwise meets programs, %s",
  async (provider) => {
    const backend = await onnx({ provider, threads: 1 }).load();
    const numbers = new Numbers(3);
    const [query, key, value] = [
      [2, 4, 150, 8],
      [2, 2, 150, 8],
      [2, 2, 150, 8],
    ].map((shape) => numbers.tensor(...shape)) as [HostTensor, HostTensor, HostTensor];
    // Keys that nothing sees, by a program alone, hold NaN.
    for (const t of [key, value]) {
      for (let row = 0; row < 600; row++) {
        if (row % 150 < 20) (t.data as Float32Array).fill(Number.NaN, row * 8, row * 8 + 8);
      }
    }
    const maskMod = p.maskMod(({ key, query, batch }) =>
      p.and(p.greaterEqual(key, 20), p.lessEqual(p.subtract(key, query), p.multiply(batch, 9))),
    );
    const sizes = { batch: 2, queryLength: 150, keyLength: 150, queryBlock: 16, keyBlock: 32 };
    const call: AttentionInputs<HostTensor> = {
      query,
      key,
      value,
      maskMod,
      scoreMod: p.scoreMod(({ score, key, query }) =>
        p.where(
          p.equal(p.remainder(key, 7), 3),
          Number.NEGATIVE_INFINITY,
          p.subtract(score, p.divide(p.abs(p.subtract(query, key)), 50)),
        ),
      ),
      blockMask: p.createBlockMask(maskMod, sizes),
      returns: { logSumExp: true, weights: true },
    };
    const plan = await backend.plan(describeProblem(call));
    expectAsReference(await plan.run(call), call);
    plan.dispose();
    await backend.dispose();
  },
);

test("a score program that does not read the score has one for each key", async () => {
  const backend = await onnx({ provider: "cpu", threads: 1 }).load();
  const x = new Numbers(5).tensor(2, 4, 9, 8);
  const programs = [
    p.scoreMod(1),
    p.scoreMod(({ head }) => p.multiply(head, 0.5)),
    p.scoreMod(({ keyIndex, batch }) => p.multiply(keyIndex, batch)),
    p.scoreMod(Number.NEGATIVE_INFINITY),
  ];
  for (const scoreMod of programs) {
    const returns = { logSumExp: true, weights: true, scores: "biased" } as const;
    const call: AttentionInputs<HostTensor> = {
      query: x,
      key: x,
      value: x,
      scoreMod,
      kvLengths: [9, 4],
      returns,
    };
    const plan = await backend.plan(describeProblem(call));
    expectAsReference(await plan.run(call), call);
    plan.dispose();
  }
  await backend.dispose();
});

test.each(["float32", "float64"] as const)(
  "a bias of −∞ hides its key, whatever a score program makes of it, %s",
  async (dtype) => {
    const backend = await onnx({ provider: "cpu", threads: 1 }).load();
    const numbers = new Numbers(9);
    const x = numbers.tensor(2, 4, 9, 8);
    const own = tensor(Float64Array.from(x.data as Float32Array), x.shape);
    const q = dtype === "float64" ? own : x;
    // Some keys of each row, and every key of the last one.
    const holes = Float32Array.from({ length: 4 * 81 }, (_, n) =>
      n % 5 === 2 || n % 81 >= 72 ? Number.NEGATIVE_INFINITY : (n % 7) / 3,
    );
    const data = dtype === "float64" ? Float64Array.from(holes) : holes;
    const bias = tensor(data as Float32Array, [1, 4, 9, 9]);
    const programs = [
      p.scoreMod(({ score, key }) => p.add(score, p.multiply(key, 0.25))),
      p.scoreMod(({ score }) => p.multiply(p.tanh(p.divide(score, 3)), 3)),
      p.scoreMod(({ score }) => p.maximum(score, -4)),
      p.scoreMod(({ score }) => p.negative(score)),
      p.scoreMod(({ score }) => p.multiply(score, 0)),
      p.scoreMod(({ keyIndex }) => p.multiply(keyIndex, 0.5)),
    ];
    for (const scoreMod of programs) {
      for (const maskMod of [undefined, p.maskMod(({ query, key }) => p.lessEqual(key, query))]) {
        const call: AttentionInputs<HostTensor> = {
          ...{ query: q, key: q, value: q, bias, scoreMod, maskMod },
          returns: { logSumExp: true, weights: true },
        };
        const plan = await backend.plan(describeProblem(call));
        expectAsReference(await plan.run(call), call);
        plan.dispose();
      }
    }
    await backend.dispose();
  },
);

test.each(["cpu", "wasm"] as const)(
  "%s: full blocks do not ask the program, and what hidden blocks hold is not read into results",
  async (provider) => {
    const backend = await onnx({ provider, threads: 1 }).load();
    await expectFullBlocksUnasked(backend);
    await expectHiddenBlocksUnread(backend, notFinite);
    await backend.dispose();
  },
);
