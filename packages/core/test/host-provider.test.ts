import {
  type AttentionBackend,
  type AttentionProblem,
  type BoundInputs,
  describeProblem,
  type HostPlan,
  hostProvider,
  tensor,
  zeros,
} from "@heed/core";
import { describe, expect, it } from "vitest";

const inputs = {
  query: tensor(new Float32Array(8), [1, 2, 2, 2]),
  key: tensor(new Float32Array(6), [1, 1, 3, 2]),
  value: tensor(new Float32Array(6), [1, 1, 3, 2]),
  mask: tensor(Uint8Array.from([1, 0, 1]), [3], { dtype: "bool" }),
  kvLengths: [2],
};
const problem = describeProblem(inputs);

describe("hostProvider", () => {
  let bound: BoundInputs | null = null;
  const plan = (p: AttentionProblem): HostPlan => ({
    description: { kernel: "zeros", tiles: {}, workspaceBytes: 0, dispatches: 1 },
    run: (resolved) => {
      bound = resolved;
      return {
        output: zeros(p.dtype, [p.batch, p.queryHeads, p.queryLength, p.valueDim]),
      };
    },
  });
  const info = { runtime: "JavaScript", device: "CPU", features: [], threads: 1 };
  const load = (): Promise<AttentionBackend> =>
    hostProvider("zeros", async () => ({
      info,
      refusals: ({ causal }) => (causal ? [{ code: "causal", message: "has no causal" }] : []),
      plan,
    })).load();

  it("resolves what is optional", async () => {
    const backend = await load();
    expect(backend).toMatchObject({ name: "zeros", info });
    const { output } = await (await backend.plan(problem)).run(inputs);
    expect(output.shape).toEqual([1, 2, 2, 2]);
    expect(bound?.mask?.strides).toEqual([0, 0, 0, 1]);
    expect(bound?.kvLengths).toEqual(Int32Array.of(2));
  });

  it("supports everything unless told otherwise", async () => {
    const backend = await hostProvider("zeros", () => ({ info, plan })).load();
    expect(backend.supports(describeProblem({ ...inputs, causal: true, queryOffset: 0 }))).toEqual({
      ok: true,
    });
  });

  it("refuses in plan what supports refuses, with the same reasons", async () => {
    const backend = await load();
    const causal = describeProblem({ ...inputs, causal: true, queryOffset: 0 });
    const reasons = [{ code: "causal", message: "has no causal" }];
    expect(backend.supports(causal)).toEqual({ ok: false, reasons });
    expect(() => backend.plan(causal)).toThrow(
      expect.objectContaining({ code: "unsupported", backends: [{ backend: "zeros", reasons }] }),
    );
  });

  it("takes no tensor of another backend", async () => {
    const elsewhere = { backend: "gpu", dtype: "float32", shape: [1, 2, 2, 2] } as const;
    const query = { ...elsewhere, read: async () => inputs.query, dispose: () => {} };
    const run = (await (await load()).plan(problem)).run({ ...inputs, query });
    await expect(run).rejects.toMatchObject({ code: "invalid-input", argument: "query" });
  });

  it("does nothing once plan or backend are disposed", async () => {
    const backend = await load();
    const [first, second] = [await backend.plan(problem), await backend.plan(problem)];
    first.dispose();
    await expect(first.run(inputs)).rejects.toMatchObject({ argument: "plan" });
    await second.run(inputs);
    backend.dispose();
    await expect(second.run(inputs)).rejects.toMatchObject({ argument: "backend" });
    expect(() => backend.plan(problem)).toThrow(expect.objectContaining({ code: "disposed" }));
  });
});
