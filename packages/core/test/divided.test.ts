import {
  type AttentionInputs,
  type AttentionProblem,
  type AttentionProvider,
  createAttention,
  type HostTensor,
  reference,
  tensor,
  zeros,
} from "@heed/core";
import { lessEqual, maskMod } from "@heed/core/program";
import { describe, expect, test } from "vitest";

/** The reference, which refuses calls of more logits, and records the sizes of those that it runs. */
function small(most: number): { provider: AttentionProvider; ran: string[] } {
  const ran: string[] = [];
  const load = async () => {
    const inner = await reference().load();
    return {
      name: "small",
      info: inner.info,
      supports: (p: AttentionProblem) => {
        const logits = p.batch * p.queryHeads * p.queryLength * p.keyLength;
        if (logits <= most) return inner.supports(p);
        const reasons = [{ code: "memory", message: `${logits} logits` }];
        return { ok: false as const, reasons };
      },
      plan: async (p: AttentionProblem) => {
        const plan = await inner.plan(p);
        const sizes = [p.batch, p.queryHeads, p.queryLength, p.keyLength].join("x");
        return {
          description: { ...plan.description, workspaceBytes: 8 * p.queryLength * p.keyLength },
          run: (call: AttentionInputs) => {
            ran.push(sizes);
            return plan.run(call);
          },
          dispose: () => plan.dispose(),
        };
      },
      dispose: () => inner.dispose(),
    };
  };
  return { provider: { name: "small", load: load as never }, ran };
}

const filled = (shape: readonly number[], seed: number): HostTensor<"float32"> => {
  const length = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length }, (_, i) => Math.sin(seed + 1.3 * i)),
    shape,
  );
};
const base = {
  query: filled([2, 4, 6, 8], 1),
  key: filled([2, 2, 10, 8], 2),
  value: filled([2, 2, 10, 5], 3),
};
const quiet = { selfTest: false, fallback: "silent" } as const;

/** Calls of 480 logits. */
const calls: Readonly<Record<string, AttentionInputs<HostTensor>>> = {
  plain: base,
  "causal, bottom right, lengths": {
    ...base,
    causal: true,
    queryOffset: "bottom-right",
    kvLengths: [10, 7],
  },
  "window, ALiBi, sinks, scores": {
    ...base,
    window: { left: 3, right: 1 },
    queryOffset: [4, 2],
    alibiSlopes: [0.1, 0.2, 0.3, 0.4],
    sinks: [0, 1, -1, 0.5],
    returns: { logSumExp: true, scores: "biased" },
  },
  "mask, bias, softcap": {
    ...base,
    mask: tensor(
      Uint8Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? 0 : 1)),
      [2, 1, 1, 10],
      { dtype: "bool" },
    ),
    bias: filled([4, 6, 10], 4),
    softcap: 2,
    returns: { logSumExp: true },
  },
};

describe("a call that is too large for a backend", () => {
  test.each(Object.keys(calls))("%s: is the same in parts of any size", async (name) => {
    const whole = await createAttention({ ...quiet, backends: [reference()] });
    const call = calls[name] as AttentionInputs<HostTensor>;
    const expected = await whole.run(call);
    // Whole entries of the batch; heads; rows; ranges of keys.
    for (const [most, axis] of [
      [240, 0],
      [60, 1],
      [20, 2],
      [3, 3],
    ] as const) {
      const { provider, ran } = small(most);
      const attention = await createAttention({ ...quiet, backends: [provider] });
      const outputs = await attention.run(call);
      expect(Number(ran[0]?.split("x")[axis])).toBeLessThan([2, 4, 6, 10][axis] as number);
      for (const of of ["output", "logSumExp", "scores"] as const) {
        const [a, b] = [outputs[of] as HostTensor, expected[of] as HostTensor];
        expect(a?.shape).toEqual(b?.shape);
        for (let i = 0; i < (b?.data.length ?? 0); i++) {
          expect(a.data[i]).toBeCloseTo(b.data[i] as number, 5);
        }
      }
      await attention.dispose();
    }
  });

  test("is divided where its plan needs more than maxWorkspaceBytes", async () => {
    const { provider, ran } = small(Number.POSITIVE_INFINITY);
    const options = { ...quiet, backends: [provider] };
    const attention = await createAttention({ ...options, maxWorkspaceBytes: 8 * 20 });
    await attention.run(base);
    expect(ran.every((sizes) => sizes.endsWith("2x10"))).toBe(true);
    await attention.dispose();
    const none = await createAttention({ ...options, maxWorkspaceBytes: 4 });
    await expect(none.run(base)).rejects.toMatchObject({ code: "out-of-memory" });
    await none.dispose();
    const wrong = { ...options, maxWorkspaceBytes: -1 };
    await expect(createAttention(wrong)).rejects.toMatchObject({ argument: "maxWorkspaceBytes" });
  });

  test("is refused with the reasons where it cannot be divided", async () => {
    const { provider } = small(3);
    const attention = await createAttention({ ...quiet, backends: [provider] });
    const call = {
      ...base,
      maskMod: maskMod(({ keyIndex }) => lessEqual(keyIndex, 4)),
    };
    const reasons = attention.explain(call).others[0]?.reasons ?? [];
    expect(reasons.map(({ message }) => message).join()).toMatch(
      /480 logits.*not by keys: a program reads keyIndex/,
    );
    await expect(attention.run(call)).rejects.toMatchObject({ code: "unsupported" });
    const ragged = {
      query: zeros("float32", [1, 2, 8, 4]),
      key: zeros("float32", [1, 2, 8, 4]),
      value: zeros("float32", [1, 2, 8, 4]),
      queryStarts: [0, 3, 8],
      keyStarts: [0, 3, 8],
    };
    expect(attention.explain(ragged).text).toMatch(/the lengths of a ragged batch are data/);
    await attention.dispose();
  });
});
