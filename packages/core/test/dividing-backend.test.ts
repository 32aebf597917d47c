/** A backend that computes in parts: what its plans say, and that everything is released. */

import { describe, expect, test } from "vitest";
import {
  type AttentionProblem,
  attention,
  type Backend,
  type DeviceTensor,
  describeProblem,
  deviceTensor,
  type HostTensor,
  OutOfMemoryError,
  outputsOf,
  type Plan,
  reference,
  rotary,
  type SupportReason,
  UnsupportedError,
  zeros,
} from "../src/index.js";
import { DividingBackend } from "../src/select/dividing-backend.js";

interface Toy {
  readonly backend: Backend;
  readonly log: string[];
}

/** The reference, which refuses more logits and fails to plan on demand. */
async function toy(
  most: number,
  { fails = -1, reasons }: { fails?: number; reasons?: readonly SupportReason[] } = {},
): Promise<Toy> {
  const inner = await reference().load();
  const log: string[] = [];
  let plans = 0;
  const backend = {
    name: "toy",
    info: inner.info,
    memory: undefined,
    supports: (problem: AttentionProblem) => {
      if (problem.operation !== "attention") return inner.supports(problem);
      const { batch, queryHeads, queryLength, keyLength } = problem;
      const logits = batch * queryHeads * queryLength * keyLength;
      if (logits <= most) return { ok: true, notes: ["small"] };
      return { ok: false, reasons: reasons ?? [{ code: "memory", message: `${logits} logits` }] };
    },
    plan: async (problem: AttentionProblem) => {
      const id = plans++;
      if (id === fails) throw new Error("no plan");
      const plan = await inner.plan(problem);
      const { queryLength = 1, keyLength = 1 } = problem;
      log.push(`plan ${id}`);
      return {
        description: {
          kernel: `k${id}`,
          tiles: { rows: id },
          workspaceBytes: queryLength * keyLength,
          dispatches: 1 + id,
          notes: [`note ${id}`],
        },
        run: (inputs: object) => plan.run(inputs as never),
        dispose: () => log.push(`dispose ${id}`),
      };
    },
    dispose: () => log.push("dispose"),
  };
  return { backend: backend as never, log };
}

const call = {
  query: zeros("float32", [1, 1, 5, 2]),
  key: zeros("float32", [1, 1, 8, 2]),
  value: zeros("float32", [1, 1, 8, 2]),
};
const problem = describeProblem(call);
const turn = rotary.describe({ input: call.query, theta: 10 });

describe("a plan in parts", () => {
  test("says what it needs, and disposes the plans of its parts", async () => {
    const { backend, log } = await toy(16);
    const dividing = new DividingBackend(backend);
    expect([dividing.name, dividing.info, dividing.memory]).toEqual([
      "toy",
      backend.info,
      undefined,
    ]);
    expect(dividing.supports(problem)).toEqual({ ok: true });
    // Rows of 2, 2 and 1.
    const plan = (await dividing.plan(problem)) as Plan;
    expect(plan.description).toEqual({
      kernel: "k0",
      tiles: { rows: 0 },
      workspaceBytes: 16,
      dispatches: 3 * 2,
      notes: ["computed in 3 parts, 4 of rows: 40 logits", "note 0"],
    });
    plan.dispose();
    expect(log).toEqual(["plan 0", "plan 1", "dispose 0", "dispose 1"]);
    dividing.dispose();
    expect(log.at(-1)).toBe("dispose");
  });

  test("by keys says into how many splits", async () => {
    const { backend } = await toy(4);
    const { description } = await new DividingBackend(backend).plan(problem);
    expect(description).toMatchObject({ splits: 2, dispatches: 10, workspaceBytes: 4 });
    expect(description.notes?.[0]).toBe("computed in 10 parts, 5 of rows, 2 of keys: 40 logits");
  });

  test("of which one fails to be planned disposes the others", async () => {
    const { backend, log } = await toy(16, { fails: 1 });
    await expect(new DividingBackend(backend).plan(problem)).rejects.toThrow("no plan");
    expect(log).toEqual(["plan 0", "dispose 0"]);
  });

  test("stops between parts when nobody waits any more", async () => {
    const { backend } = await toy(16);
    const plan = (await new DividingBackend(backend).plan(problem)) as Plan;
    const reason = new Error("stopped");
    const bound = { problem, inputs: call } as never;
    await expect(plan.runBound?.(bound, { aborted: true, reason } as never)).rejects.toBe(reason);
    expect(await plan.run(call)).toMatchObject({ output: { shape: [1, 1, 5, 2] } });
  });
});

test("outputs of parts are released, and those that cannot all be stored beside the inputs", async () => {
  const { backend } = await toy(16);
  const live = new Set<string>();
  let most = 1;
  const hold = ({ dtype, shape }: Pick<HostTensor, "dtype" | "shape">) => {
    const id = `${dtype} ${shape}`;
    live.add(id);
    const release = () => live.delete(id);
    return deviceTensor(
      { backend: "toy", read: async () => zeros(dtype, shape), release },
      { dtype, shape },
    );
  };
  const memory = {
    upload: async (t: HostTensor) => {
      if (live.size === most) throw new OutOfMemoryError("toy", "full");
      return hold(t);
    },
  };
  const key = hold(call.key);
  const given = { ...call, key, returns: { logSumExp: true } } as const;
  const described = describeProblem(given);
  const plan = async (part: AttentionProblem) => ({
    description: { kernel: "zeros", tiles: {}, workspaceBytes: 0, dispatches: 1 },
    run: async () => {
      const outputs = Object.entries(outputsOf(attention.operands(part)));
      return Object.fromEntries(outputs.map(([name, t]) => [name, hold(t)]));
    },
    dispose: () => {},
  });
  const dividing = new DividingBackend({
    ...{ name: "toy", info: backend.info, supports: backend.supports, dispose: () => {} },
    ...{ memory, plan },
  } as never);
  const divided = (await dividing.plan(described)) as Plan;
  most = 2;
  await expect(divided.run(given)).rejects.toMatchObject({ code: "out-of-memory" });
  expect([...live]).toEqual(["float32 1,1,8,2"]);
  most = 3;
  const outputs = (await divided.run(given)) as Record<string, DeviceTensor>;
  expect([...live]).toEqual(["float32 1,1,8,2", "float32 1,1,5,2", "float32 1,1,5"]);
  for (const t of [key, ...Object.values(outputs)]) t.dispose();
  expect(live.size).toBe(0);
});

test("what fits is the backend's own, and so are refusals that are not of size", async () => {
  const small = await toy(99);
  const whole = new DividingBackend(small.backend);
  expect(whole.supports(problem)).toEqual({ ok: true, notes: ["small"] });
  expect((await whole.plan(problem)).description.kernel).toBe("k0");
  expect((await whole.plan(turn)).description.notes).toEqual(["note 1"]);
  expect(whole.supports(turn)).toEqual({ ok: true });
  for (const reasons of [
    [{ code: "dtype", message: "no" }],
    [],
    [
      { code: "memory", message: "much" },
      { code: "dtype", message: "no" },
    ],
  ]) {
    const { backend } = await toy(16, { reasons });
    expect(new DividingBackend(backend).supports(problem)).toEqual({ ok: false, reasons });
  }
  for (const code of ["memory", "too-large", "size"]) {
    const { backend } = await toy(16, { reasons: [{ code, message: "much" }] });
    expect(new DividingBackend(backend).supports(problem)).toEqual({ ok: true });
  }
});

test("a call that no division makes small enough is refused with the reasons", async () => {
  const { backend } = await toy(0);
  const dividing = new DividingBackend(backend);
  const reasons = [
    { code: "memory", message: "40 logits" },
    { code: "indivisible", message: "no division of the call is small enough" },
  ];
  expect(dividing.supports(problem)).toEqual({ ok: false, reasons });
  const error = await dividing.plan(problem).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(UnsupportedError);
  expect(error.backends).toEqual([{ backend: "toy", reasons }]);
});

describe("less memory beside inputs and outputs", () => {
  test("is what the first division needs that stays within it", async () => {
    const { backend, log } = await toy(99);
    const { description } = await new DividingBackend(backend, 16).plan(problem);
    expect(description.workspaceBytes).toBe(16);
    const why = "it needs 40 bytes beside inputs and outputs, and maxWorkspaceBytes is 16";
    expect(description.notes?.[0]).toBe(`computed in 3 parts, 4 of rows: ${why}`);
    // Plans of the whole, and of rows by two, are disposed.
    expect(log).toEqual([
      "plan 0",
      "dispose 0",
      "plan 1",
      "plan 2",
      "dispose 1",
      "dispose 2",
      "plan 3",
      "plan 4",
    ]);
  });

  test("is all that is asked for, and not less", async () => {
    const { backend, log } = await toy(99);
    expect((await new DividingBackend(backend, 40).plan(problem)).description.kernel).toBe("k0");
    expect(log).toEqual(["plan 0"]);
    const none = new DividingBackend(backend, 0).plan(problem);
    await expect(none).rejects.toMatchObject({ code: "out-of-memory" });
    await expect(none).rejects.toThrow(/no division of the call needs less/);
    const [made, disposed] = ["plan", "dispose"].map(
      (word) => log.filter((line) => line.startsWith(word)).length,
    );
    expect(disposed).toBe((made as number) - 1);
  });
});
