import { js } from "@heed/backend-js";
import {
  createAttention,
  describeProblem,
  type HostTensor,
  OutOfMemoryError,
  zeros,
} from "@heed/core";
import { afterEach, expect, test, vi } from "vitest";
import { attentionKernels } from "../src/attention/kernels.js";

afterEach(() => vi.unstubAllGlobals());

test("an allocation that the engine refuses is an OutOfMemoryError", async () => {
  const attention = await createAttention({ backends: [js()], selfTest: false });
  const call = {
    query: zeros("float32", [1, 1, 7, 2]),
    key: zeros("float32", [1, 1, 3, 2]),
    value: zeros("float32", [1, 1, 3, 11]),
  };
  // Engines reserve memory without having it, so that no size is sure to fail everywhere.
  vi.stubGlobal(
    "Float32Array",
    class extends Float32Array {
      constructor(length: number) {
        if (length === 7 * 11) throw new RangeError("Array buffer allocation failed");
        super(length);
      }
    },
  );
  const error = await attention.run(call).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(OutOfMemoryError);
  expect(error).toMatchObject({ backend: "js", code: "out-of-memory" });
  vi.unstubAllGlobals();
  expect((await attention.run(call)).output.shape).toEqual([1, 1, 7, 11]);
  await attention.dispose();
});

test.each([
  [new RangeError("Invalid array length"), "out-of-memory"],
  [new OutOfMemoryError("core", "full"), "out-of-memory"],
  [new TypeError("a mistake"), undefined],
])(
  "of what a run throws, memory that is missing alone is an OutOfMemoryError: %s",
  async (thrown, code) => {
    const shape = [1, 1, 2, 4];
    const t = zeros("float32", shape);
    const problem = describeProblem({ query: t, key: t, value: t });
    const { decide, plan } = attentionKernels.kernels;
    const verdict = decide?.(problem as never, undefined) as { decision: never };
    const made = await plan(problem as never, verdict.decision, undefined);
    const get = (): never => {
      throw thrown;
    };
    const bound = new Proxy({}, { get });
    const error = await (async () => made.run(bound as never))().catch((cause) => cause);
    if (code === undefined) expect(error).toBe(thrown);
    else expect(error).toMatchObject({ code, backend: "js", cause: thrown });
  },
);

test("a workspace that no array can hold is refused, and a call that needs one is divided", async () => {
  const shape = [1, 1, 256, 440_000];
  const data = Float32Array.of(1);
  const strides = [0, 0, 0, 0];
  const t: HostTensor = { dtype: "float32", shape, strides, offset: 0, data };
  const call = { query: t, key: t, value: t };
  const backend = await js().load();
  const support = backend.supports(describeProblem(call));
  expect(support.ok ? [] : support.reasons.map(({ message }) => message)).toEqual([
    expect.stringMatching(/query rows needs an array/),
  ]);
  await backend.dispose();
  const attention = await createAttention({ backends: [js()] });
  expect(attention.explain(call).backend).toBe("js");
  await attention.dispose();
});
