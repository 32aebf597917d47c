/** The self-test of a backend: faults that it finds, that it asks once, and memory that it gives back. */
import { describe, expect, test } from "vitest";
import {
  type AttentionOutputs,
  type DeviceTensor,
  deviceTensor,
  type HostTensor,
  reference,
  tensor,
} from "../../src/index.js";
import type { AttentionBackend } from "../../src/operation/backend.js";
import { SelfTest } from "../../src/select/self-test.js";
import type { FloatDType } from "../../src/tensor/dtype.js";

interface Flaw {
  /** Added to one element of a result. */
  readonly error?: number;
  readonly of?: "output" | "logSumExp";
  /** Dtypes that it computes; all if left out. */
  readonly only?: readonly FloatDType[];
  /** Results in memory of its own. */
  readonly held?: boolean;
  readonly change?: (outputs: AttentionOutputs<HostTensor>) => unknown;
}

/** The reference with a flaw, in float64 results so that nothing is rounded, and a log. */
async function flawed({ error = 0, of = "output", only, held = false, change }: Flaw = {}) {
  const log: string[] = [];
  const inner = await reference().load();
  const hold = (t: HostTensor | undefined): DeviceTensor | undefined => {
    if (t === undefined) return undefined;
    log.push("hold");
    const storage = {
      backend: "held",
      read: async () => t,
      release: () => log.push("release"),
    };
    return deviceTensor(storage, { dtype: t.dtype, shape: t.shape });
  };
  const backend = {
    ...{ name: "a", info: inner.info, dispose: () => {} },
    supports: (problem: { dtype: FloatDType }) =>
      only && !only.includes(problem.dtype)
        ? { ok: false, reasons: [{ code: "dtype", message: "not this one" }] }
        : { ok: true },
    plan: async (problem: never) => {
      const { dtype } = problem as { dtype: FloatDType };
      log.push(`plan ${dtype}`);
      const plan = await inner.plan(problem);
      return {
        description: plan.description,
        run: async (inputs: never) => {
          const outputs = (await plan.run(inputs)) as AttentionOutputs<HostTensor>;
          const t = outputs[of];
          if (t && error !== 0) (t.data as Float32Array)[1] = (t.data[1] as number) + error;
          if (change) return change(outputs);
          if (!held) return outputs;
          return { output: hold(outputs.output), logSumExp: hold(outputs.logSumExp) };
        },
        dispose: () => log.push("dispose"),
      };
    },
  } as unknown as AttentionBackend;
  return { test: new SelfTest(backend), log };
}

describe("a self-test", () => {
  test("makes, runs and disposes the plans of one dtype, and what they give", async () => {
    const { test: own, log } = await flawed();
    await own.load();
    expect(log).toEqual(["plan float32", "dispose", "plan float32", "dispose"]);
    expect(own.failure(["float32", "float16"])).toBeNull();
    const there = await flawed({ held: true });
    await there.test.load();
    expect(there.log.filter((line) => line === "hold")).toHaveLength(3);
    expect(there.log.filter((line) => line === "release")).toHaveLength(3);
  });

  test.each<[FloatDType, number]>([
    ["float32", 1e-4],
    ["float64", 1e-4],
  ])("finds errors in %s from %f on, of outputs and of log-sum-exps", async (dtype, bound) => {
    for (const of of ["output", "logSumExp"] as const) {
      for (const sign of [-1, 1]) {
        const good = await flawed({ error: sign * 0.9 * bound, of, only: [dtype] });
        expect(await good.test.complete([dtype])).toBeNull();
        const bad = await flawed({ error: sign * 1.1 * bound, of, only: [dtype] });
        expect(await bad.test.complete([dtype])).toMatchObject({
          code: "unavailable",
          message: expect.stringMatching(/wrong numbers/),
        });
        await expect(bad.test.load()).rejects.toMatchObject({ code: "backend-unavailable" });
        expect(bad.log.filter((line) => line === "dispose").length).toBe(
          bad.log.filter((line) => line.startsWith("plan")).length,
        );
      }
    }
  });

  test.each<[string, NonNullable<Flaw["change"]>]>([
    ["nothing", () => ({})],
    [
      "NaN",
      ({ output }) => ({
        output: { ...output, data: new Float32Array(output.data.length).fill(Number.NaN) },
      }),
    ],
    ["too few elements", () => ({ output: tensor(new Float32Array(1), [1, 1, 1, 1]) })],
    ["no log-sum-exp", ({ output }) => ({ output })],
    [
      "no numbers",
      () => {
        throw new Error("broken");
      },
    ],
  ])("finds a backend that gives %s", async (_, change) => {
    const { test: own, log } = await flawed({ change });
    await expect(own.load()).rejects.toMatchObject({
      code: "backend-unavailable",
      message: expect.stringMatching(/float32 problem/),
    });
    expect(log.at(-1)).toBe("dispose");
  });

  test("begins with the first of float32, float16 and float64 that the backend computes", async () => {
    for (const [only, first] of [
      [["float64", "float16"], "float16"],
      [["float64"], "float64"],
    ] as const) {
      const { test: own, log } = await flawed({ only });
      await own.load();
      expect(log[0]).toBe(`plan ${first}`);
      expect(log).toHaveLength(4);
    }
    const { test: own, log } = await flawed({ only: [] });
    await own.load();
    expect(log).toEqual([]);
    expect(await own.complete(["float32"])).toBeNull();
  });

  test("tests each dtype once, also for calls that overlap, and remembers a failure", async () => {
    const { test: own, log } = await flawed({ error: 1, only: ["float64", "float32"] });
    const [first, second] = await Promise.all([
      own.complete(["float64"]),
      own.complete(["float64"]),
    ]);
    expect(first).toMatchObject({ code: "unavailable" });
    expect(second).toBe(first);
    const plans = log.length;
    expect(await own.complete(["float16", "float64"])).toBe(first);
    expect(log).toHaveLength(plans);
    expect(own.failure(["float16"])).toBeNull();
    expect(own.failure(["float32"])).toBeNull();
    expect(own.failure(["float16", "float64"])).toBe(first);
    expect(own.failure([])).toBeNull();
    const good = await flawed();
    await good.test.load();
    await good.test.complete(["float32"]);
    expect(good.log).toHaveLength(4);
  });
});
