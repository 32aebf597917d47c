import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundProjection,
  type DeviceTensor,
  type Implementation,
  implement,
  isDeviceTensor,
  type KernelPlan,
  type ProjectionOutputs,
  type ProjectionProblem,
  projection,
  reshape,
  rowMajorStrides,
  type Tensor,
  type TypedArray,
  tensor,
  type Verdict,
} from "@heed/core";
import { attentionKernels } from "../attention/attention.js";
import type { SharingLimits } from "../attention/plan.js";
import type { LoadedWasm } from "../load.js";
import { float64Refused } from "../refusals.js";

/** A problem as one of attention, with what was decided about that. */
interface Decision {
  readonly problem: AttentionProblem;
  readonly decision: unknown;
}

/**
 * Linear layers in float32 and float16, by the kernels of attention: input rows are queries, rows of the
 * weight are keys that all of them share, and the scores with their bias, at a scale of 1, are the output.
 * The softmax over them, with values of a single column, is computed for nothing: little beside dot
 * products of a model's size, and kernels of their own would not fit into the binary.
 *
 * @param sharing when problems are shared by threads
 */
export function projectionKernels(sharing: SharingLimits): Implementation<LoadedWasm> {
  const { kernels } = attentionKernels(sharing);
  return implement<typeof projection, LoadedWasm, Decision>(projection, {
    decide: (problem: ProjectionProblem, wasm): Verdict<Decision> => {
      if (problem.dtype === "float64") return { reasons: [float64Refused] };
      if (problem.inputSize === 0) {
        const message = "the kernels take no rows of 0 elements";
        return { reasons: [{ code: "empty", message }] };
      }
      const asAttention = attention.describe(standIn(problem));
      const verdict = (kernels.decide as NonNullable<typeof kernels.decide>)(
        asAttention as never,
        wasm,
      );
      if ("reasons" in verdict) return verdict;
      return { decision: { problem: asAttention, decision: verdict.decision } };
    },
    plan: (problem, { problem: asAttention, decision }, wasm) => {
      const plan = kernels.plan(asAttention as never, decision, wasm) as KernelPlan<
        unknown,
        AttentionOutputs
      >;
      return {
        description: {
          ...plan.description,
          kernel: plan.description.kernel.replace(/^attention-/, "projection-"),
          notes: ["computed as the scores of attention"],
        },
        run: (bound) => run(problem, asAttention, plan, bound as BoundProjection),
      };
    },
  });
}

/** A call of the problem's sizes, to be described. */
function standIn({
  batch,
  length,
  inputSize,
  outputSize,
  dtype,
  hasBias,
}: ProjectionProblem): AttentionInputs {
  return callOf(
    repeated(dtype, [batch, length, inputSize]),
    repeated(dtype, [outputSize, inputSize]),
    hasBias ? repeated(dtype, [outputSize]) : undefined,
  ).inputs;
}

/** A tensor of one element that strides of 0 repeat. */
function repeated(dtype: ProjectionProblem["dtype"], shape: readonly number[]): Tensor {
  const data = dtype === "float16" ? new Uint16Array(1) : new Float32Array(1);
  return tensor(data as TypedArray, shape, { dtype, strides: shape.map(() => 0), offset: 0 });
}

/** A projection as a call of attention: batch entries are the query heads of a single key head. */
function callOf(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
): { readonly inputs: AttentionInputs; readonly views: readonly DeviceTensor[] } {
  const views: DeviceTensor[] = [];
  const view = (t: Tensor, axes: number): Tensor => {
    const { shape, strides = rowMajorStrides(shape), offset = 0 } = t;
    const ones = new Array<number>(axes - shape.length).fill(1);
    const layout = {
      shape: [...ones, ...shape],
      strides: [...ones.map(() => 0), ...strides],
      offset,
    };
    if (!isDeviceTensor(t)) {
      const { strides: steps } = layout;
      return tensor(t.data as TypedArray, layout.shape, { dtype: t.dtype, strides: steps, offset });
    }
    const made = (t.view as NonNullable<typeof t.view>).call(t, layout);
    views.push(made);
    return made;
  };
  const outputs = weight.shape[0] as number;
  const inputs = {
    query: view(input, 4),
    key: view(weight, 4),
    value: repeated(input.dtype as ProjectionProblem["dtype"], [1, 1, outputs, 1]),
    ...(bias && { bias: view(bias, 4) }),
    scale: 1,
    returns: { scores: "biased" },
  } as const;
  return { inputs: inputs as AttentionInputs, views };
}

async function run(
  { batch, length, outputSize }: ProjectionProblem,
  asAttention: AttentionProblem,
  plan: KernelPlan<unknown, AttentionOutputs>,
  { input, weight, bias }: BoundProjection,
): Promise<ProjectionOutputs> {
  const { inputs, views } = callOf(input, weight, bias);
  try {
    const { output, scores } = await plan.run(attention.bind(asAttention, inputs));
    if (isDeviceTensor(output)) output.dispose();
    const made = scores as Tensor;
    const shaped = reshape(made, [batch, length, outputSize]) as Tensor;
    if (isDeviceTensor(made)) made.dispose();
    return { output: shaped };
  } finally {
    for (const made of views) made.dispose();
  }
}
