/** Programs on a device: what changes without a new plan, and devices that bind few buffers. */
import {
  type AttentionInputs,
  type AttentionOutputs,
  type DeviceTensor,
  describeProblem,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { causal, document } from "@heed/core/masks";
import {
  abs,
  add,
  and,
  createBlockMask,
  lessEqual,
  maskMod,
  multiply,
  scalar,
  scoreMod,
  subtract,
  table,
} from "@heed/core/program";
import { expect, test, vi } from "vitest";
import {
  expectFullBlocksUnasked,
  expectHiddenBlocksUnread,
  notFinite,
} from "../../core/test/program/skipped-blocks.js";
import type { KernelName } from "../src/attention/kernel-names.js";
import { ProgramData } from "../src/attention/programs/data.js";
import { WebGpuBackend } from "../src/backend.js";
import { openDevice } from "../src/device.js";
import { Pipelines } from "../src/execution/pipelines.js";
import { expectPass } from "./passes.js";

vi.setConfig({ testTimeout: 120_000 });

let state = 5;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) / 2 ** 24 - 0.5;
};
const values = (...shape: number[]): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 3 * random()),
    shape,
  );

const open = await openDevice({ allowFallbackAdapter: true }).catch(() => null);
const backendWith = (
  limits: { maxStorageBuffersPerShaderStage?: number } = {},
  kernel: KernelName = "row",
) => {
  if (open === null) return null;
  const capabilities = { ...open.capabilities, limits: { ...open.capabilities.limits, ...limits } };
  return WebGpuBackend.on({ ...open, capabilities, owned: false }, { kernel });
};

const length = 40;
const call = {
  query: values(2, 2, length, 8),
  key: values(2, 1, length, 8),
  value: values(2, 1, length, 8),
  returns: { logSumExp: true },
};
const ids = new Int32Array(2 * length);
const factors = tensor(Float32Array.of(1, 0.5), [2]);
const reach = scalar(9);
const documents = maskMod(({ query, key }) =>
  and(document(tensor(ids, [2, length])), lessEqual(subtract(query, key), reach)),
);
const scaled = (by: HostTensor<"float32">) => {
  const slopes = table(by);
  return scoreMod(({ score, head, query, key }) =>
    add(multiply(score, slopes.at(head)), multiply(0.01, subtract(query, key))),
  );
};
const programs = { maskMod: documents, scoreMod: scaled(factors) };

const check = (inputs: AttentionInputs<HostTensor>, outputs: AttentionOutputs) =>
  expectPass(inputs, outputs as AttentionOutputs<HostTensor>);

test("tables, scalars and block masks are data of a plan's calls", async ({ skip }) => {
  const backend = await backendWith();
  if (backend === null) return skip("no adapter");
  const inputs = { ...call, ...programs };
  const plan = await backend.plan(describeProblem(inputs));
  const compiled = Pipelines.of(backend.device).names.length;
  check(inputs, await plan.run(inputs));
  // In place: what a table's tensor holds at the call counts.
  ids.fill(1, 13, length);
  ids.fill(2, length + 20);
  check(inputs, await plan.run(inputs));
  reach.value = 3;
  check(inputs, await plan.run(inputs));
  // Tables of another shape.
  const longer = tensor(Float32Array.of(2, -1, 7, 7, 7), [5]);
  check(
    { ...call, ...programs, scoreMod: scaled(longer) },
    await plan.run({ ...call, ...programs, scoreMod: scaled(longer) }),
  );
  // Calls that are made one after another and awaited later see what was there when they were made.
  const first = plan.run(inputs);
  const expected = referenceAttention(inputs);
  reach.value = 20;
  ids.fill(0);
  await plan.run(inputs);
  const { output } = await first;
  const difference = toFloat64(output as HostTensor).map(
    (x, i) => x - (toFloat64(expected.output as HostTensor)[i] as number),
  );
  expect(Math.max(...difference.map(Math.abs))).toBeLessThanOrEqual(1e-5);
  expect(Pipelines.of(backend.device).names.length).toBe(compiled);
  backend.dispose();
});

test("calls that are encoded and submitted later keep their tables", async ({ skip }) => {
  const backend = await backendWith();
  if (backend === null) return skip("no adapter");
  const host = { ...call, ...programs };
  const plan = await backend.plan(describeProblem(host));
  const device = {
    ...host,
    query: await backend.upload(call.query),
    key: await backend.upload(call.key),
    value: await backend.upload(call.value),
  } as unknown as AttentionInputs<DeviceTensor>;
  const outputs = () => ({
    output: backend.memory.allocate("float32", [2, 2, length, 8]),
    logSumExp: backend.memory.allocate("float32", [2, 2, length]),
  });
  const encoder = backend.device.createCommandEncoder();
  const made: { readonly out: ReturnType<typeof outputs>; readonly expected: AttentionOutputs }[] =
    [];
  for (const to of [5, 17, 17, 30]) {
    ids.fill(1, 0, to);
    ids.fill(0, to);
    const out = outputs();
    plan.encode(encoder, device, out as AttentionOutputs<DeviceTensor>);
    made.push({ out, expected: referenceAttention(host) });
  }
  backend.device.queue.submit([encoder.finish()]);
  for (const { out, expected } of made) {
    const got = toFloat64(await out.output.read());
    const right = toFloat64(expected.output as HostTensor);
    expect(Math.max(...got.map((x, i) => Math.abs(x - (right[i] as number))))).toBeLessThanOrEqual(
      1e-5,
    );
  }
  backend.dispose();
});

test("eight buffers are enough beside mask and bias", async ({ skip }) => {
  const backend = await backendWith({ maxStorageBuffersPerShaderStage: 8 });
  if (backend === null) return skip("no adapter");
  const bias = values(2, 1, length, length);
  const mask = tensor(
    Array.from({ length }, () => random() > -0.3),
    [1, 1, 1, length],
  );
  const inputs = { ...call, ...programs, bias, mask };
  const plan = await backend.plan(describeProblem(inputs));
  expect(plan.description.kernel).toMatch(/joined/);
  check(inputs, await plan.run(inputs));
  backend.dispose();
});

test("a block mask that another program has made hides beside the program", async ({ skip }) => {
  const backend = await backendWith();
  if (backend === null) return skip("no adapter");
  const sizes = { queryLength: length, keyLength: length, queryBlock: 7, keyBlock: 9 };
  const other = maskMod(({ queryIndex, keyIndex }) => lessEqual(keyIndex, add(queryIndex, 5)));
  const maskMod_ = causal();
  const own = { ...call, maskMod: maskMod_, blockMask: createBlockMask(maskMod_, sizes) };
  const foreign = { ...call, maskMod: other, blockMask: createBlockMask(maskMod_, sizes) };
  for (const inputs of [own, foreign]) {
    const plan = await backend.plan(describeProblem(inputs));
    check(inputs, await plan.run(inputs));
  }
  backend.dispose();
});

test("blocks of rows read their own rows of the map", async ({ skip }) => {
  const backend = await backendWith({}, "tile");
  if (backend === null) return skip("no adapter");
  // More tiles of keys than a word of the map has, and windows so narrow that neighbouring rows share few.
  const [rows, keys] = [200, 600];
  const narrow = maskMod(({ batch, head, query, key }) => {
    const place = add(multiply(query, 2), add(multiply(batch, 70), multiply(head, 90)));
    return lessEqual(abs(subtract(key, place)), 4);
  });
  const inputs = {
    query: values(2, 2, rows, 8),
    key: values(2, 2, keys, 8),
    value: values(2, 2, keys, 8),
    maskMod: narrow,
  };
  const plan = await backend.plan(describeProblem(inputs));
  expect(plan.description.kernel).toMatch(/tile/);
  check(inputs, await plan.run(inputs));
  backend.dispose();
});

test("full blocks do not ask the program, and what hidden blocks hold is not read into results", async ({
  skip,
}) => {
  const backend = await backendWith();
  if (backend === null) return skip("no adapter");
  await expectFullBlocksUnasked(backend);
  await expectHiddenBlocksUnread(backend, notFinite);
  backend.dispose();
});

test.for(["row", "tile", "quad"] as const)(
  "%s: tiles that the map calls empty are not visited, though the program shows them",
  async (kernel, { skip }) => {
    const backend = await backendWith({}, kernel);
    if (backend === null) return skip("no adapter");
    const inputs = { ...call, maskMod: causal(), queryOffset: 0 };
    const plan = await backend.plan(describeProblem(inputs));
    const own = ProgramData.prototype.words;
    // Without a block mask and tables, the map is all that there is.
    const spy = vi.spyOn(ProgramData.prototype, "words").mockImplementation(function (
      this: ProgramData,
      ...args
    ) {
      return new Uint32Array(own.apply(this, args).length);
    });
    const { logSumExp } = await plan.run(inputs);
    spy.mockRestore();
    expect(new Set(toFloat64(logSumExp as HostTensor))).toEqual(
      new Set([Number.NEGATIVE_INFINITY]),
    );
    plan.dispose();
    backend.dispose();
  },
);
