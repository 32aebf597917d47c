import {
  type AttentionInputs,
  type AttentionOutputs,
  bindHeadValues,
  bindPositions,
  contiguous,
  describeProblem,
  elementCount,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  rowMajorStrides,
  statisticsDType,
  tensor,
  toFloat64,
} from "@heed/core";
import { encodeModel, encodeTensor, type ModelValue } from "../../model/model.js";
import { problemGraph } from "./to-onnx.js";

/** A test in ONNX's own layout: what goes into a folder. */
export interface OnnxTest {
  /** `model.onnx`. */
  readonly model: Uint8Array;
  /** `test_data_set_0/input_0.pb` and so on, in the model's order. */
  readonly inputs: readonly Uint8Array[];
  /** `test_data_set_0/output_0.pb` and so on. */
  readonly outputs: readonly Uint8Array[];
}

/**
 * A call as a test for any ONNX runtime: the model of its problem, its data, and what must come out.
 *
 * @param expected outputs, rounded here to the model's dtypes
 * @throws InvalidInputError as `describeProblem`, or for an output that is asked for and not expected
 */
export function toOnnxTest(
  inputs: AttentionInputs<HostTensor>,
  expected: AttentionOutputs<HostTensor>,
): OnnxTest {
  const problem = describeProblem(inputs);
  const graph = problemGraph(problem, !allFinite(inputs));
  const given = givenTensors(inputs);
  const encode = (value: ModelValue, t: HostTensor): Uint8Array => {
    const { data, offset } = contiguous(t);
    const elements = data.subarray(offset, offset + elementCount(t.shape)) as typeof data;
    return encodeTensor(value.name, value.dtype, t.shape, elements as ArrayBufferView);
  };
  return {
    model: encodeModel(graph),
    inputs: graph.inputs.map((value) => {
      const integers = integersOf(value.name, inputs);
      if (integers) return encodeTensor(value.name, "int64", integers.dims, integers.data);
      return encode(value, given[value.name] as HostTensor);
    }),
    outputs: graph.outputs.map((value) => {
      const t = expected[value.name as keyof typeof expected];
      if (t === undefined) throw new InvalidInputError("expected", value.name, "none");
      const shape = value.name === "logSumExp" ? [...t.shape, 1] : t.shape;
      return encode(value, fromFloat64(toFloat64(t), shape, value.dtype as HostTensor["dtype"]));
    }),
  };
}

function allFinite({ query, key, value, bias }: AttentionInputs<HostTensor>): boolean {
  const given = [query, key, value, ...(bias ? [bias] : [])];
  return given.every((t) => toFloat64(t).every(Number.isFinite));
}

/** The tensors of a call by the model's names, in the shapes that the model gives them. */
function givenTensors(inputs: AttentionInputs<HostTensor>): Record<string, HostTensor | undefined> {
  const { query, key, value, mask, bias } = inputs;
  const rank4 = (t: HostTensor | undefined): HostTensor | undefined => {
    if (t === undefined) return undefined;
    const dense = contiguous(t);
    const shape = [1, 1, 1, 1, ...t.shape].slice(-4);
    return tensor(dense.data, shape, {
      dtype: t.dtype,
      strides: rowMajorStrides(shape),
      offset: dense.offset,
    });
  };
  const heads = bindHeadValues(inputs);
  const perHead = (values: Float64Array | null): HostTensor | undefined =>
    values
      ? fromFloat64(values, [1, values.length, 1, 1], statisticsDType(query.dtype as "float32"))
      : undefined;
  return {
    query,
    key,
    value,
    mask: rank4(mask && cleanMask(mask)),
    bias: rank4(bias),
    alibiSlopes: perHead(heads.alibiSlopes),
    sinks: perHead(heads.sinks),
  };
}

/** The mask with bytes 0 and 1, the only ones that ONNX's bool has; any byte but 0 is true in a call. */
function cleanMask(mask: HostTensor): HostTensor {
  const { data, offset } = contiguous(mask);
  const bytes = new Uint8Array(elementCount(mask.shape));
  for (let i = 0; i < bytes.length; i++) bytes[i] = data[offset + i] === 0 ? 0 : 1;
  return tensor(bytes, mask.shape, { dtype: "bool" });
}

/** The int64 inputs of a model. */
function integersOf(
  name: string,
  inputs: AttentionInputs<HostTensor>,
): { dims: readonly number[]; data: BigInt64Array } | null {
  const problem = describeProblem(inputs);
  const { offsets, kvLengths } = bindPositions(problem, inputs);
  const data = (values: Int32Array): BigInt64Array => BigInt64Array.from(values, BigInt);
  if (name === "kvLengths") return { dims: [problem.batch], data: data(kvLengths) };
  if (name !== "queryOffset") return null;
  return problem.positions === "fixed"
    ? { dims: [], data: data(Int32Array.of(Number(inputs.queryOffset ?? 0))) }
    : { dims: [problem.batch], data: data(offsets) };
}
