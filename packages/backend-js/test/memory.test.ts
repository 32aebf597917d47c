import { js } from "@heed/backend-js";
import {
  createAttention,
  describeProblem,
  type HostTensor,
  OutOfMemoryError,
  zeros,
} from "@heed/core";
import { afterEach, expect, test, vi } from "vitest";

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
