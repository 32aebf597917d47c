import { fromBinary } from "@bufbuild/protobuf";
import { toOnnxTest } from "@heed/backend-onnx";
import { caseInputs, cases, judge, passes } from "@heed/conformance";
import {
  type AttentionOutputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  type TypedArray,
  tensor,
} from "@heed/core";
import { beforeAll, expect, test } from "vitest";
import { ModelProtoSchema, TensorProtoSchema } from "../src/generated/onnx_pb.js";
import { importRuntime } from "../src/runtime/import.js";
import { runtimeTensor } from "../src/runtime/native-data.js";
import type { Runtime, RuntimeDType, RuntimeTensor } from "../src/runtime/runtime.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await importRuntime("cpu");
});

/** Elements of a TensorProto by the number of its data type. */
const arrays = {
  1: ["float32", Float32Array],
  7: ["int64", BigInt64Array],
  9: ["bool", Uint8Array],
  10: ["float16", Uint16Array],
  11: ["float64", Float64Array],
} as const;

function decode(file: Uint8Array): {
  name: string;
  dims: number[];
  type: string;
  data: ArrayLike<unknown>;
} {
  const { name, dims, dataType, rawData } = fromBinary(TensorProtoSchema, file);
  const [type, Constructor] = arrays[dataType as keyof typeof arrays];
  const data = new Constructor(rawData.slice().buffer);
  return { name, dims: dims.map(Number), type, data };
}

/** Stored keys, pages, ragged batches, positions as data, programs and block masks are not exported. */
const exported = cases.filter(({ id }) => !/^(?:serving|programs)\//.test(id));
const withoutEmpty = exported.filter(
  ({ id }) => !id.includes("empty-") || id.includes("empty-rows"),
);

/** One of each kind: all of them are run by the backend itself, on graphs of the same code. */
const chosen = withoutEmpty.filter(
  ({ id }, i) => id.startsWith("masks/everything") || i % 12 === 0,
);
// onnxruntime's kernels do not agree on other empty tensors.
const headless = cases.filter(({ id }) => id === "core/empty-query-heads");

test.each([...chosen, ...headless].map((c) => [c.id, c] as const))(
  "the files of %s, read back, run and judged",
  async (_, c) => {
    const inputs = caseInputs(c);
    const files = toOnnxTest(inputs, referenceAttention(inputs));
    const session = await runtime.InferenceSession.create(files.model, {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      intraOpNumThreads: 1,
    });
    const feeds: Record<string, RuntimeTensor> = {};
    for (const file of files.inputs) {
      const { name, type, data, dims } = decode(file);
      feeds[name] = runtimeTensor(runtime, type as RuntimeDType, data as TypedArray, dims);
    }
    const results = await session.run(feeds);
    await session.release();
    const outputs: Record<string, HostTensor> = {};
    for (const file of files.outputs) {
      const { name, dims, type } = decode(file);
      const got = results[name] as RuntimeTensor;
      expect(got.dims).toEqual(dims);
      expect(got.type).toBe(type);
      const shape = name === "logSumExp" ? dims.slice(0, 3) : dims;
      outputs[name] = tensor(got.data as Float32Array, shape, { dtype: type as "float32" });
    }
    const verdict = judge(inputs, outputs as unknown as AttentionOutputs<HostTensor>);
    expect(verdict.violations).toEqual([]);
    expect(verdict).toSatisfy(passes);
  },
);

test("a model's inputs are the call's, its lengths and batch size are symbolic", () => {
  const query = tensor(new Float32Array(2 * 4 * 3 * 8), [2, 4, 3, 8]);
  const key = tensor(new Float32Array(2 * 2 * 5 * 8), [2, 2, 5, 8]);
  const inputs = {
    query,
    key,
    value: key,
    causal: true,
    queryOffset: [1, 2],
    kvLengths: [4, 5],
    sinks: [0, 0, 0, 0],
  };
  const { model } = toOnnxTest(inputs, referenceAttention(inputs));
  const { graph, opsetImport } = fromBinary(ModelProtoSchema, model);
  expect(graph?.input.map(({ name }) => name).sort()).toEqual(
    ["query", "key", "value", "queryOffset", "kvLengths", "sinks"].sort(),
  );
  const dims = graph?.input.map(({ type }) =>
    type?.value.case === "tensorType"
      ? type.value.value.shape?.dim.map(({ value }) => value.value)
      : null,
  );
  expect(dims?.[0]).toEqual(["batch", 4n, "queryLength", 8n]);
  expect(opsetImport.map(({ domain, version }) => [domain, version])).toEqual([["", 18n]]);
  expect(describeProblem(inputs).positions).toBe("per-batch");
});
