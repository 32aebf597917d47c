import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  allocate,
  attentionWork,
  type DType,
  describeProblem,
  type FloatDType,
  type HostTensor,
  tensor,
} from "@heed/core";
import { attention } from "../operations/attention/operation.js";
import { formatShape, type WorkloadShape } from "./shape.js";
import type { AttentionWorkload, Workload } from "./workload.js";

/** A shape with what is usually left out left out. */
export type PartialShape = Pick<WorkloadShape, "queryHeads" | "queryLength" | "headDim"> &
  Partial<WorkloadShape>;

export type GeneratedWorkload = Pick<Workload, "id" | "title" | "source" | "suite" | "series"> & {
  readonly shape: PartialShape;
};

/** A workload by its sizes. Its values are drawn from a normal distribution, the same every time. */
export function generated({ shape: partial, ...about }: GeneratedWorkload): AttentionWorkload {
  const shape = completeShape(partial);
  return {
    ...about,
    operation: attention,
    shape,
    flops: flopsOf(shape),
    load: async (dtype) => {
      const random = new Random(formatShape(shape));
      return call(shape, dtype, (sizes, of) => random.tensor(sizes, of));
    },
  };
}

/** A workload of the user's own. */
export function customWorkload(
  shape: WorkloadShape,
  about: Partial<Pick<Workload, "id" | "title" | "source">> = {},
): AttentionWorkload {
  const {
    id = formatShape(shape),
    title = "a shape of one's own",
    source = "given by name",
  } = about;
  return generated({ id, title, source, suite: "custom", shape });
}

/** Batch 1, key heads and lengths as the query's, value size as the head's. */
export function completeShape(partial: PartialShape): WorkloadShape {
  return {
    batch: 1,
    kvHeads: partial.queryHeads,
    keyLength: partial.queryLength,
    valueDim: partial.headDim,
    ...partial,
  };
}

/** Only sizes matter. */
function flopsOf(shape: WorkloadShape): number {
  const inputs = withoutData(shape, "float32");
  return attentionWork(describeProblem(inputs), inputs).flops;
}

/** A call of a shape whose tensors repeat one element: for its problem and its work. */
export function withoutData(shape: WorkloadShape, dtype: FloatDType): AttentionInputs<HostTensor> {
  return call(shape, dtype, (sizes, of) =>
    tensor(allocate(of, 1) as Float32Array, sizes, { dtype: of, strides: sizes.map(() => 0) }),
  );
}

function call(
  shape: WorkloadShape,
  dtype: FloatDType,
  make: (sizes: readonly number[], dtype: DType) => HostTensor,
): AttentionInputs<HostTensor> {
  // Every other rule is an option of the call, under the same name.
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim, ...rules } = shape;
  const { bias, sinks, ...options } = rules;
  const positions = (options.causal || options.window) && queryLength !== keyLength;
  return {
    query: make([batch, queryHeads, queryLength, headDim], dtype),
    key: make([batch, kvHeads, keyLength, headDim], dtype),
    value: make([batch, kvHeads, keyLength, valueDim], dtype),
    ...(bias && { bias: make([1, queryHeads, queryLength, keyLength], dtype) }),
    ...(sinks && { sinks: make([queryHeads], "float32") }),
    ...options,
    // Fewer queries than keys are the last ones: a cache holds what came before.
    ...(positions && { queryOffset: "bottom-right" as const }),
  };
}
