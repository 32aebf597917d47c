import { type CaseResult, checkCase } from "@heed/conformance";
import {
  DisposedError,
  defineBackend,
  type HostTensor,
  type MergeInputs,
  type MergeOutputs,
  merge,
  type Plan,
  type Provider,
  reference,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import type { MergeCall } from "../../../src/operations/merge/build.js";
import { judgedMerge } from "../../../src/operations/merge/judged.js";
import { mergeMistakes, mergeWith } from "../../../src/operations/merge/mistakes.js";
import { borrow } from "../../../src/run/borrow.js";
import { backendOf, casesOf, checkOf } from "../one-operation.js";

type Merged = MergeOutputs<HostTensor>;

const info = { runtime: "JavaScript", device: "CPU", features: [], threads: 1 };

/** A backend of merging alone. */
function merging(run: (call: MergeCall) => Merged, device?: string): Provider {
  return backendOf(merge, ({ inputs }) => run(inputs as MergeCall), device);
}

const cases = casesOf(merge);
const check = checkOf(merge);
const judged = (id: string): boolean => /^merge\/(shape|numbers|pairs)-/.test(id);
const notPassing = (results: readonly CaseResult[]): CaseResult[] =>
  results.filter(({ outcome }) => outcome !== "pass");

test("ids are unique, and each axis of the suite is there", () => {
  const ids = cases.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const kind of ["shape", "numbers", "pairs", "law", "recorded"]) {
    expect(ids.filter((id) => id.startsWith(`merge/${kind}-`)).length).toBeGreaterThan(2);
  }
});

describe("passes everything, recorded vectors too:", () => {
  test("the reference", async () => {
    const results = await check(reference() as unknown as Provider, () => true);
    expect(notPassing(results)).toEqual([]);
    expect(results.filter(({ id }) => id.startsWith("merge/recorded-"))).toHaveLength(3);
  });

  test.each(["CPU", "a GPU"])(
    "the naive evaluation, without an attention, on %s",
    async (device) => {
      const results = await check(
        merging((call) => mergeWith(call, {}), device),
        () => true,
      );
      expect(notPassing(results)).toEqual([]);
    },
  );
});

describe("a backend in which", () => {
  test.each(mergeMistakes.map(({ name, steps }) => [name, steps] as const))(
    "%s is found, and told",
    async (name, steps) => {
      const provider = merging((call) => mergeWith(call, steps));
      const subject = { backend: await provider.load(), provider } as never;
      const told: string[] = [];
      for (const c of cases.filter(({ id }) => judged(id))) {
        const { id, outcome, explanations = [] } = await checkCase(subject, c);
        if (outcome === "fail" && explanations.flat().includes(name)) told.push(id);
        // One is enough: to explain every failure takes minutes.
        if (told.length > 0) break;
      }
      expect(told).not.toEqual([]);
    },
  );

  test("one part is returned as it is, is found", async () => {
    const provider = merging((call) => {
      const [only] = call.parts as [MergeCall["parts"][number]];
      return call.parts.length > 1 ? mergeWith(call, {}) : { ...only };
    });
    const failing = notPassing(await check(provider, judged));
    expect(failing.flatMap(({ failures }) => failures)).toContain("output is an input");
  });

  test("the empty parts' outputs are overwritten is found", async () => {
    const provider = merging((call) => {
      const outputs = mergeWith(call, {});
      for (const { output, logSumExp } of call.parts) {
        if (logSumExp.data[0] === Number.NEGATIVE_INFINITY) output.data[output.offset] = 0;
      }
      return outputs;
    });
    const failing = notPassing(await check(provider, judged));
    expect(failing.flatMap(({ failures }) => failures)).toContain("the inputs were changed");
  });
});

describe("laws", () => {
  const brokenBy = async (run: (call: MergeCall) => Merged): Promise<string[]> =>
    notPassing(await check(merging(run), (id) => id.startsWith("merge/law-"))).map(({ id }) =>
      id.slice("merge/law-".length),
    );
  const mistake = (name: string) => {
    const found = mergeMistakes.find((m) => m.name === name);
    if (!found) throw new Error(`no mistake is called ${name}`);
    return found.steps;
  };

  test.each([
    ["the last part is skipped", "order"],
    ["the last part is skipped", "groups"],
    ["the last part is skipped", "attention"],
    ["weights are not normalised", "one-part"],
    ["all parts weigh the same", "groups"],
    ["all parts weigh the same", "empty-parts"],
    ["the maximum is not subtracted", "shift"],
    ["the log-sum-exp is in base 2", "shift"],
    ["an empty part's output is multiplied by 0", "empty-parts"],
    ["a row without keys keeps the first part's output", "groups"],
  ])("where %s, the law %s is broken", async (name, law) => {
    expect(await brokenBy((call) => mergeWith(call, mistake(name)))).toContain(law);
  });
});

test("resident parts of which one is lost break a case", async () => {
  const inner = await (reference() as unknown as Provider).load();
  const device = (t: HostTensor) => ({
    ...{ backend: "reference", dtype: t.dtype, shape: t.shape, disposed: false },
    host: t,
    async read() {
      if (this.disposed) throw new DisposedError("tensor");
      return t;
    },
    dispose() {
      this.disposed = true;
    },
  });
  type Held = ReturnType<typeof device>;
  const host = (t: unknown): HostTensor => (t as Held).host ?? (t as HostTensor);
  const residentIn = (keep: (parts: MergeCall["parts"]) => MergeCall["parts"]) => ({
    ...borrow(inner as never),
    upload: async (t: HostTensor) => device(t),
    plan: async () => ({
      description: { kernel: "resident", tiles: {}, workspaceBytes: 0, dispatches: 1 },
      run: async ({ parts }: MergeInputs) => {
        const resident = parts.some((p) => "host" in p.output || "host" in p.logSumExp);
        const call = {
          parts: parts.map((p) => ({ output: host(p.output), logSumExp: host(p.logSumExp) })),
        };
        const kept = { parts: resident ? keep(call.parts) : call.parts };
        const plan = (await inner.plan(merge.describe(kept))) as Plan<MergeInputs, Merged>;
        const outputs = await plan.run(kept);
        if (!resident) return outputs;
        return { output: device(outputs.output), logSumExp: device(outputs.logSumExp) };
      },
      dispose: () => {},
    }),
  });
  const run = async (backend: unknown): Promise<CaseResult[]> => {
    const subject = {
      backend,
      provider: { name: "reference", load: async () => backend },
    } as never;
    const results: CaseResult[] = [];
    for (const c of cases.filter(({ id }) => id.startsWith("merge/shape-p"))) {
      results.push(await checkCase(subject, c));
    }
    return results;
  };
  expect(notPassing(await run(residentIn((parts) => parts)))).toEqual([]);
  const failing = notPassing(await run(residentIn((parts) => parts.slice(0, 1))));
  expect(failing.flatMap(({ failures }) => failures)).toContain(
    "output of resident inputs has other bits than that of host inputs",
  );
});

test("explanations are given of what is wrong alone", () => {
  const one = { dtype: "float32", shape: [2], strides: [1], offset: 0 } as const;
  const part = (lse: number, x: number): MergeCall["parts"][number] => ({
    output: { ...one, shape: [2, 1], strides: [1, 1], data: Float32Array.of(x, x + 1) },
    logSumExp: { ...one, data: Float32Array.of(lse, lse) },
  });
  const call = { parts: [part(0, 1), part(1, 5), part(2, -3)] };
  expect(judgedMerge.explain(call, mergeWith(call, {}))).toEqual([]);
  const skipped = mergeWith({ parts: call.parts.slice(0, 2) }, {});
  expect(judgedMerge.explain(call, skipped)).toContain("the last part is skipped");
});

test("a backend without the operation refuses it, with the code operation", async () => {
  const provider = defineBackend({
    name: "nothing",
    load: () => null,
    info: () => info,
    operations: {},
  });
  const results = await check(provider, () => true);
  expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(["unsupported"]));
  expect(new Set(results.flatMap(({ reasons }) => reasons.map(({ code }) => code)))).toEqual(
    new Set(["operation"]),
  );
});
