import {
  type AnyOperation,
  type Bound,
  cast,
  type DeviceTensor,
  elementCount,
  type HostTensor,
  type KernelPlan,
  type TypedArray,
  tensor,
  zeros,
} from "@heed/core";
import type { OnnxContext } from "./context.js";
import type { OnnxMemory } from "./device/memory.js";
import { type OutputForm, packedLayouts, ResidentCall } from "./device/resident.js";
import type { FeedContext } from "./layout/feed.js";
import type { RuntimeTensor } from "./runtime/runtime.js";
import type { SessionModel } from "./runtime/sessions.js";

/** A graph with its inputs. */
export interface ReadyCall {
  readonly model: SessionModel;
  readonly feeds: Readonly<Record<string, RuntimeTensor>>;
}

/** An operation with one output, computed by one run of one graph. */
export interface OneOutputGraph<B extends Bound> {
  readonly operation: AnyOperation;
  readonly kernel: string;
  readonly output: Omit<OutputForm, "name">;
  /** The graph that calls usually need, whose session is made with the plan. */
  readonly usual: SessionModel;
  /** Number of nodes of that graph. */
  readonly dispatches: number;
  /** The graph that a call needs, with the call's tensors. */
  readonly ready: (given: FeedContext, bound: B) => ReadyCall;
}

/** Tensors that an operation with one output returns. */
interface OneOutput {
  readonly output: HostTensor | DeviceTensor;
}

/** Plans an operation whose graph writes `output` and nothing else. */
export async function planOneOutput<B extends Bound>(
  { loaded, sessions, memory }: OnnxContext,
  { operation, kernel, output, usual, dispatches, ready }: OneOutputGraph<B>,
): Promise<KernelPlan<B, OneOutput>> {
  const { runtime } = loaded;
  const { dtype, shape, stored } = output;
  const form = { ...output, name: "output" };
  // onnxruntime's kernels differ in their results for sizes of 0.
  const isEmpty = elementCount(shape) === 0;
  if (!isEmpty) await sessions.prepare(usual);

  const runOnDevice = async (resident: ResidentCall, bound: B): Promise<OneOutput> => {
    if (isEmpty) return { output: (memory as OnnxMemory).tensors.allocate(dtype, shape) };
    const { model, feeds } = ready({ runtime, resident }, bound);
    const outputs = await resident.run(sessions, model, feeds, [form]);
    return { output: outputs.output as DeviceTensor };
  };

  const run = async (bound: B): Promise<OneOutput> => {
    const resident = ResidentCall.of(runtime, memory, operation, bound);
    if (resident) return resident.releasedAfter(runOnDevice(resident, bound));
    if (isEmpty) return { output: zeros(dtype, shape) };
    const { model, feeds } = ready({ runtime, resident }, bound);
    const results = await sessions.run(model, feeds);
    const { data } = results.output as RuntimeTensor;
    return { output: cast(tensor(data as TypedArray, shape, { dtype: stored }), dtype) };
  };
  return {
    description: {
      kernel,
      tiles: {},
      workspaceBytes: 0,
      dispatches,
      ...(memory && { notes: [packedLayouts] }),
    },
    run,
  };
}
