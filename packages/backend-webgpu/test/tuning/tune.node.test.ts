/**
 * Measuring on a device, with the decisions of a software adapter: its first choice for small problems is the kernel
 * `row`, which every adapter compiles at once.
 */
import { webgpu } from "@heed/backend-webgpu";
import {
  type AttentionProblem,
  createAttention,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  lengthClassKey,
  toFloat64,
  zeros,
} from "@heed/core";
import { beforeAll, describe, expect, test } from "vitest";
import type { ChoiceWith } from "../../src/attention/choice/choice.js";
import { settingsOf } from "../../src/attention/choice/from-settings.js";
import type { Settings } from "../../src/attention/choice/settings.js";
import { choose } from "../../src/attention/choose.js";
import { shapesToTry } from "../../src/attention/tuning/candidates.js";
import { trialCall } from "../../src/attention/tuning/inputs.js";
import { newRemembered } from "../../src/attention/tuning/remembered.js";
import type { TuningTable } from "../../src/attention/tuning/table.js";
import { Trials } from "../../src/attention/tuning/trial.js";
import { tune } from "../../src/attention/tuning/tune.js";
import { WebGpuBackend } from "../../src/backend.js";
import { Context } from "../../src/context.js";
import type { OpenDevice } from "../../src/device.js";
import { available } from "../available.js";
import { makeCall } from "../calls.js";
import { sharedDevice } from "../devices.js";

describe.skipIf(!available)("tuning on a device", () => {
  let device: OpenDevice;
  beforeAll(async () => {
    const open = await sharedDevice();
    device = { ...open, capabilities: { ...open.capabilities, software: true } };
  });

  const call = makeCall({ heads: [4, 2], lengths: [1, 150] });
  const problem = describeProblem(call);
  const load = (given?: unknown) =>
    WebGpuBackend.on(device, {}, given === undefined ? undefined : newRemembered(given));
  const tableOf = (settings: Settings, gain = 2): TuningTable => ({
    format: "heed-webgpu-tuning",
    version: 1,
    device: device.identity,
    choices: { [lengthClassKey(problem)]: { settings, gain } },
  });

  /** Settings of other kernels, which take a second and more to compile on software adapters. */
  const others = (of: AttentionProblem) =>
    shapesToTry(of, device.capabilities, choose(of, device.capabilities))
      .flat()
      .map((choice) => settingsOf(choice));

  test("measures, remembers the fastest, says so, and a new backend takes it without measuring", async () => {
    const backend = await load();
    expect(backend.info.tuning).toBe(undefined);
    const before = backend.choose(problem);
    const result = await backend.tune(problem, { budget: 20_000, without: others(problem) });
    expect(result.known).toBe(true);
    expect(result.rule).toEqual(settingsOf(before));
    const outcomes = result.tried.map(({ outcome }) => outcome.status);
    expect(outcomes.filter((status) => status === "measured").length).toBeGreaterThan(1);
    expect(outcomes).not.toContain("wrong");
    expect(outcomes).not.toContain("failed");
    const support = backend.supports(problem);
    expect(support).toMatchObject({ ok: true, notes: [expect.stringMatching(/measured/)] });
    const plan = await backend.plan(problem);
    expect(plan.description.notes).toEqual([expect.stringMatching(/measured on this device/)]);
    const table = JSON.parse(JSON.stringify(backend.info.tuning));
    expect(Object.keys(table.choices)).toEqual([lengthClassKey(problem)]);

    const later = await load(table);
    expect(later.info.notes).toContain("1 choice of kernels from a table of the application");
    expect(later.info.tuning).toEqual(table);
    const { measured: from, ...now } = later.choose(problem);
    expect(from?.source).toBe("a table of the application");
    expect(now).toEqual({ ...backend.choose(problem), measured: undefined });
    for (const one of [plan, later, backend]) one.dispose();
  });

  test("a table decides, and the results are the same", async () => {
    const [ruled, tuned] = await Promise.all([load(), load(tableOf({ kernel: "row", splits: 2 }))]);
    const outputs: Float64Array[] = [];
    for (const backend of [ruled, tuned]) {
      const plan = await backend.plan(problem);
      const { splits, notes } = plan.description;
      expect(splits).toBe(backend === tuned ? 2 : 1);
      if (backend === tuned) expect(notes?.[0]).toMatch(/2.00 times as fast as the rule's choice/);
      outputs.push(toFloat64((await plan.run(call)).output as HostTensor));
      plan.dispose();
      backend.dispose();
    }
    const [a, b] = outputs as [Float64Array, Float64Array];
    for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 5);
  });

  test("what a table says is tried first, and is not forgotten where there is no time for it", async () => {
    const settings: Settings = {
      ...{ kernel: "tile", lanes: 8, columns: 32, subgroups: false, splits: 1 },
    };
    const backend = await load(tableOf(settings, 3));
    const order: Settings[] = [];
    const onTry = (one: Settings) => void order.push(one);
    const isIt = (one: Settings) => JSON.stringify(one) === JSON.stringify(settings);
    const all = others(problem);
    expect(all.some(isIt)).toBe(true);
    const { known } = await backend.tune(problem, { budget: 20_000, without: all, onTry });
    expect([known, order.some(isIt)]).toEqual([true, false]);
    expect(backend.choose(problem)).toMatchObject({ kernel: "tile", measured: { gain: 3 } });
    order.length = 0;
    const without = all.filter((one) => !isIt(one));
    await backend.tune(problem, { budget: 60_000, without, onTry });
    expect(order[1]).toEqual(settings);
    expect(backend.choose(problem).measured?.source).toBe("measured on this device");
    backend.dispose();
  });

  test("a table of another device, and one that is damaged, leave the rules alone", async () => {
    const foreign = tableOf({ kernel: "row", splits: 2 });
    for (const given of [
      { ...foreign, device: { ...foreign.device, description: "another driver" } },
      { ...foreign, choices: null },
      "table",
    ]) {
      const backend = await load(given);
      expect(backend.choose(problem)).toEqual(choose(problem, device.capabilities));
      expect(backend.info.notes).toContainEqual(
        expect.stringMatching(/^a table of tuning was ignored/),
      );
      expect(backend.supports(problem)).toEqual({ ok: true });
      backend.dispose();
    }
  });

  test("a choice that leaves out half of the columns is found to be wrong", async () => {
    const context = new Context(device);
    const { bound, tensors } = await trialCall(problem, null, (t) => context.memory.upload(t));
    const trials = new Trials(problem, context, bound);
    const rule = choose(problem, device.capabilities) as ChoiceWith<"row">;
    const broken = { ...rule, columns: 2 * rule.columns };
    const right = await trials.open(rule);
    const wrong = await trials.open(broken);
    expect(await right.check()).toBe(null);
    expect(await right.check()).toBe(null);
    expect(await right.time()).toBeGreaterThan(0);
    expect(await wrong.check()).toMatch(/output differs in row \d+: by /);
    for (const one of [right, wrong, trials, ...tensors]) one.dispose();
    context.dispose();
  });

  test("an attention tunes for a call whose tensors are zeros, and explains it", async () => {
    const attention = await createAttention({
      backends: [{ name: "webgpu", load: () => load() }],
      selfTest: false,
    });
    const zero = zeros("float32", [1, 2, 1, 16]);
    const keys = zeros("float32", [1, 2, 150, 16]);
    const inputs = { query: zero, key: keys, value: keys, kvLengths: [140] };
    const explained = await attention.prepare(inputs, { tune: { budget: 500 } });
    expect(explained.backend).toBe("webgpu");
    const [status] = attention.backends;
    const info = status?.status === "ready" ? status.info : null;
    // There may have been no time for a second choice, and then nothing is known.
    if (info?.tuning) {
      expect(explained.notes).toEqual([expect.stringMatching(/measured on this device/)]);
      expect(explained.text).toContain(explained.notes?.[0]);
    } else {
      expect(explained.notes).toBe(undefined);
    }
    expect((await attention.run(inputs)).backend).toBe("webgpu");
    for (const tune of ["yes", 1, { budget: 0 }, { budget: "1" }, { time: 5 }]) {
      await expect(attention.prepare(inputs, { tune: tune as never })).rejects.toBeInstanceOf(
        InvalidInputError,
      );
    }
    await attention.dispose();
  });

  test("pages and positions are data of a call, without which nothing can be measured", async () => {
    const backend = await load();
    const paged = {
      query: zeros("float32", [1, 2, 1, 16]),
      key: zeros("float32", [8, 2, 16, 16]),
      value: zeros("float32", [8, 2, 16, 16]),
      pageTable: { ...zeros("int32", [1, 8]), data: Int32Array.of(3, 1, 0, 2, 7, 5, 6, 4) },
      kvLengths: [120],
    };
    const of = describeProblem(paged);
    const options = { budget: 20_000, without: others(of) };
    await expect(backend.tune(of, options)).rejects.toMatchObject({ argument: "subject" });
    const { tried } = await backend.tune(of, { ...options, inputs: paged });
    expect(tried.map(({ outcome }) => outcome.status)).not.toContain("wrong");
    expect(tried[0]?.outcome.status).toBe("measured");
    backend.dispose();
  });

  test("nothing is tried where rows are invariant or a kernel is forced", async () => {
    for (const preferences of [{ batchInvariant: true }, { kernel: "row" }] as const) {
      const context = new Context(device, preferences);
      const { tried, gain, known } = await tune(problem, context);
      expect([tried, gain, known, context.tuning.table]).toEqual([[], 1, false, null]);
      context.dispose();
    }
  });

  test("a provider's later backends know what an earlier one measured", async () => {
    const provider = webgpu({ allowFallbackAdapter: true, tuning: null });
    const first = await provider.load();
    const small = describeProblem(makeCall({ heads: [1, 1], lengths: [3, 150] }));
    const { known } = await first.tune(small, { budget: 500 });
    first.dispose();
    const second = await provider.load();
    expect(second.info.tuning !== undefined).toBe(known);
    second.dispose();
  });
});
