import {
  type BoundScatter,
  bytesPerElement,
  contiguous,
  type DeviceTensor,
  elementCount,
  type HostTensor,
  isDeviceTensor,
  type KernelPlan,
  type ScatterOutputs,
  type ScatterProblem,
  scatter,
  scatterRows,
  type Verdict,
} from "@heed/core";
import type { OnnxContext } from "../context.js";
import type { OnnxMemory } from "../device/memory.js";

/**
 * Whether rows are written in place. onnxruntime's operators give new tensors, so that JavaScript writes host
 * memory, and a kernel of Heed's own the memory of onnxruntime's device: it copies rows, and converts none.
 */
export function decideScatter(
  problem: ScatterProblem,
  { memory }: Pick<OnnxContext, "memory">,
): Verdict<undefined> {
  if (memory === null) return { decision: undefined };
  const { sourceDType, targetDType } = problem;
  if (sourceDType !== targetDType) {
    const message = `rows of ${sourceDType} are not converted to ${targetDType} in place on onnxruntime's device`;
    const hint =
      "keep caches in the type of their rows, in host memory, or in that of the webgpu backend";
    return { reasons: [{ code: "in-place", message, hint }] };
  }
  const most = memory.tensors.device.limits.maxStorageBufferBindingSize ?? Number.POSITIVE_INFINITY;
  const largest = Math.max(
    ...scatter
      .operands(problem)
      .map(({ shape, dtype }) => elementCount(shape) * bytesPerElement(dtype)),
  );
  if (largest > most) {
    const message = "a tensor is more than the device binds at once";
    const hint = "split the batch, the pages or the heads over several tensors";
    return { reasons: [{ code: "too-large", message, hint }] };
  }
  return { decision: undefined };
}

/** The plan of a problem: rows are written where the target is. */
export function planScatter(
  problem: ScatterProblem,
  _decision: undefined,
  { memory }: OnnxContext,
): KernelPlan<BoundScatter, ScatterOutputs> {
  const { targetDType, headDim, rows } = problem;
  return {
    description: {
      kernel: `scatter-rows-${targetDType.replace("float", "f")}`,
      tiles: {},
      workspaceBytes: targetDType === "int8" ? 8 * headDim : 0,
      dispatches: 1,
      notes: ["rows in host memory are written by JavaScript, and those on a device by a kernel"],
    },
    run: (bound) => {
      if (isDeviceTensor(bound.target)) return onDevice(bound, memory as OnnxMemory, rows);
      scatterRows(bound as BoundScatter<HostTensor>);
      return bound.outputs;
    },
  };
}

/** Writes rows once earlier calls that read the target have been submitted. */
async function onDevice(
  { target, source, slots, outputs }: BoundScatter,
  { tensors, rows: writer }: OnnxMemory,
  rows: number,
): Promise<ScatterOutputs> {
  const written = tensors.place("target", target);
  const turn = tensors.order.take(true);
  written.storage.hold();
  let uploaded: DeviceTensor | null = null;
  try {
    if (!isDeviceTensor(source)) uploaded = await tensors.upload(contiguous(source as HostTensor));
    const given = tensors.place("source", uploaded ?? source);
    given.storage.hold();
    try {
      if (turn.ready) await turn.ready;
      const accepted = writer.write(written, given, { rows, slots });
      turn.end();
      await accepted;
    } finally {
      given.storage.release();
    }
    return outputs;
  } finally {
    turn.end();
    uploaded?.dispose();
    written.storage.release();
  }
}
