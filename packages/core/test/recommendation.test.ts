import {
  type AttentionInputs,
  type AttentionProvider,
  type BackendRecommendation,
  BackendUnavailableError,
  createAttention,
  type HostTensor,
  InvalidInputError,
  reference,
  zeros,
} from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The reference under another name, pretending to have threads. */
function named(
  name: string,
  threads = 1,
  why?: { refuses?: true; missing?: true },
): AttentionProvider {
  return {
    name,
    load: async () => {
      if (why?.missing) throw new BackendUnavailableError("not here");
      const inner = await reference().load();
      return {
        name,
        info: { ...inner.info, threads },
        supports: (problem) =>
          why?.refuses
            ? { ok: false, reasons: [{ code: "mood", message: "not today" }] }
            : inner.supports(problem),
        plan: (problem) => inner.plan(problem),
        dispose: () => inner.dispose(),
      };
    },
  };
}

function call(queryLength: number, keyLength: number): AttentionInputs<HostTensor> {
  const key = zeros("float32", [1, 1, keyLength, 4]);
  return { query: zeros("float32", [1, 1, queryLength, 4]), key, value: key };
}

const recommendation: BackendRecommendation = {
  format: "heed-recommendation",
  version: 1,
  measuredOn: "an abacus",
  rules: [
    {
      when: { queryLength: { to: 1 }, keyLength: { from: 64 } },
      prefer: [{ backend: "wasm", threads: 4 }, { backend: "js" }],
    },
    { when: { queryLength: { from: 33 } }, prefer: [{ backend: "webgpu" }] },
    { when: { queryLength: { from: 2 } }, prefer: [{ backend: "wasm" }] },
  ],
};

async function choose(
  backends: readonly AttentionProvider[],
  calls: readonly AttentionInputs<HostTensor>[],
  select: BackendRecommendation = recommendation,
): Promise<string[]> {
  const attention = await createAttention({
    backends,
    select,
    fallback: "silent",
    selfTest: false,
  });
  const results = await Promise.all(calls.map((inputs) => attention.run(inputs)));
  await attention.dispose();
  return results.map(({ backend }) => backend);
}

describe("a recommendation", () => {
  test("orders the backends by the first rule that fits, and leaves the rest as they are", async () => {
    const backends = [named("js"), named("webgpu"), named("wasm")];
    const calls = [call(1, 64), call(33, 33), call(32, 32), call(1, 63)];
    expect(await choose(backends, calls)).toEqual(["wasm", "webgpu", "wasm", "js"]);
  });

  test("tells backends of one name apart by their threads, where it can", async () => {
    const attention = await createAttention({
      backends: [named("wasm", 1), named("wasm", 4)],
      select: recommendation,
      selfTest: false,
    });
    const infos = attention.backends.map((b) => (b.status === "ready" ? b.info.threads : null));
    expect(infos).toEqual([1, 4]);
    // Both are wasm: what is left over shows which one runs.
    const slots = [named("wasm", 1, { refuses: true }), named("wasm", 4)];
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const other = await createAttention({
      backends: slots,
      select: recommendation,
      selfTest: false,
    });
    await other.run(call(1, 64));
    expect(warn).not.toHaveBeenCalled();
    await other.run(call(2, 2));
    expect(warn).toHaveBeenCalledTimes(1);
  });

  test("is explained, and so is what runs in place of what it prefers", async () => {
    const attention = await createAttention({
      backends: [
        named("js"),
        named("wasm", 1, { refuses: true }),
        named("webgpu", 1, { missing: true }),
      ],
      select: recommendation,
      selfTest: false,
    });
    const { backend, others } = attention.explain(call(1, 64));
    expect(backend).toBe("js");
    expect(others).toEqual([
      { backend: "wasm", reasons: [expect.objectContaining({ code: "mood" })] },
      { backend: "webgpu", reasons: [expect.objectContaining({ message: "not here" })] },
    ]);
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await attention.run(call(40, 40));
    expect(warn.mock.calls.join()).toMatch(/js runs instead.*\n.*webgpu: not here/);

    const all = await createAttention({
      backends: [named("js"), named("wasm")],
      select: recommendation,
      selfTest: false,
    });
    expect(all.explain(call(1, 64)).others).toEqual([
      {
        backend: "js",
        reasons: [{ code: "lower-priority", message: expect.stringContaining("recommendation") }],
      },
    ]);
  });

  test("throws in place of the preferred one where falling back is an error", async () => {
    const attention = await createAttention({
      backends: [named("js"), named("wasm", 1, { refuses: true })],
      select: recommendation,
      fallback: "error",
      selfTest: false,
    });
    await expect(attention.run(call(1, 64))).rejects.toThrow("wasm: not today");
    // No rule fits, and js comes first.
    expect((await attention.run(call(1, 4))).backend).toBe("js");
  });

  test("has ranges from 0 on, both ends inclusive, and any that are left out", async () => {
    const backends = [named("js"), named("wasm")];
    const of = (when: object) => ({
      ...recommendation,
      rules: [{ when, prefer: [{ backend: "wasm" }] }],
    });
    const calls = [call(1, 0), call(1, 4), call(4, 5)];
    const chosen = (when: object) => choose(backends, calls, of(when));
    expect(await chosen({ keyLength: { from: 0, to: 0 } })).toEqual(["wasm", "js", "js"]);
    expect(await chosen({ keyLength: { from: 4, to: 5 } })).toEqual(["js", "wasm", "wasm"]);
    expect(await chosen({ queryLength: { to: 1 }, keyLength: { from: 4 } })).toEqual([
      ...["js", "wasm", "js"],
    ]);
    expect(await chosen({ queryLength: undefined, keyLength: {} })).toEqual([
      "wasm",
      "wasm",
      "wasm",
    ]);
  });

  test("survives JSON, and without rules changes nothing", async () => {
    const backends = [named("js"), named("wasm")];
    const parsed = JSON.parse(JSON.stringify(recommendation));
    expect(await choose(backends, [call(1, 64)], parsed)).toEqual(["wasm"]);
    expect(await choose(backends, [call(1, 64)], { ...recommendation, rules: [] })).toEqual(["js"]);
    const always = { ...recommendation, rules: [{ prefer: [{ backend: "wasm" }] }] };
    expect(await choose(backends, [call(1, 4)], always)).toEqual(["wasm"]);
  });
});

const rule = (changes: object) => ({
  ...recommendation,
  rules: [{ prefer: [{ backend: "js" }], ...changes }],
});

test.each([
  ["slowest", "select"],
  [null, "select"],
  [{ ...recommendation, format: "trace" }, "select.format"],
  [{ ...recommendation, version: 2 }, "select.version"],
  [{ ...recommendation, measuredOn: 7 }, "select.measuredOn"],
  [{ ...recommendation, rules: {} }, "select.rules"],
  [{ ...recommendation, notes: "" }, "no members but"],
  [rule({ prefer: undefined }), "select.rules[0].prefer"],
  [rule({ prefer: ["js"] }), "select.rules[0].prefer[0]"],
  [rule({ prefer: [{ backend: 3 }] }), "select.rules[0].prefer[0].backend"],
  [rule({ prefer: [{ backend: "js", threads: 0 }] }), "select.rules[0].prefer[0].threads"],
  [rule({ when: { headDim: { to: 64 } } }), "select.rules[0].when"],
  [rule({ when: { queryLength: 64 } }), "select.rules[0].when.queryLength"],
  [rule({ when: { queryLength: { to: 1.5 } } }), "select.rules[0].when.queryLength.to"],
  [rule({ when: { keyLength: { from: -1 } } }), "select.rules[0].when.keyLength.from"],
  [rule({ when: { keyLength: { from: "1" } } }), "select.rules[0].when.keyLength.from"],
  [rule({ when: null }), "select.rules[0].when"],
  [rule({ when: [] }), "select.rules[0].when"],
  [rule({ prefer: [{ backend: "js", threads: 1.5 }] }), "select.rules[0].prefer[0].threads"],
  [rule({ prefer: [{ backend: "js", cores: 2 }] }), "select.rules[0].prefer[0]"],
])("%j is refused, saying where", async (select, part) => {
  const backends = [named("js")];
  const creating = createAttention({ backends, select: select as BackendRecommendation });
  await expect(creating).rejects.toThrow(InvalidInputError);
  await expect(creating).rejects.toThrow(part);
});
