import {
  type Bound,
  type BoundScatter,
  type DType,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type KernelPlan,
  type PlanDescription,
  rowMajorStrides,
  type ScatterOutputs,
  type ScatterProblem,
  scatterRows,
  storageOf,
  type Tensor,
  UnsupportedError,
  type Verdict,
  zeros,
} from "@heed/core";
import { GpuStorage } from "@heed/gpu-memory";
import type { Context } from "../context.js";
import { DevicePlan } from "../execution/plan.js";
import type { Program } from "../execution/program.js";
import type { Layouts } from "../execution/steps.js";
import { backendName } from "../name.js";
import { type Element, scatterKernel } from "./kernel.js";
import { elementOf, scheduleScatter } from "./schedule.js";

const tooLarge = "a tensor is more than the device binds at once";

/** A call as the device runs it: its source may be one that was converted on the host. */
interface DeviceCall extends Bound {
  readonly slots: Int32Array;
}

/**
 * Whether a problem is computed: everything is that fits into bindings. float64, which no device tensor
 * has, is written in host memory. Pure.
 */
export function decideScatter(
  problem: ScatterProblem,
  { capabilities }: Pick<Context, "capabilities">,
): Verdict<undefined> {
  const { sourceDType, targetDType } = problem;
  if (targetDType === "float64" || sourceDType === "float64") return { decision: undefined };
  const from = elementOf[sourceDType] as Element;
  if (scheduleScatter(problem, from, layoutsOf(problem, sourceDType), capabilities) !== null) {
    return { decision: undefined };
  }
  const hint = "split the batch, the pages or the heads over several tensors";
  return { reasons: [{ code: "size", message: tooLarge, hint }] };
}

/** Row-major layouts of a call whose source has the dtype given on the device. */
function layoutsOf(p: ScatterProblem, sourceDType: DType): Layouts {
  const rowMajor = (dtype: DType, shape: readonly number[]) => ({
    dtype,
    shape,
    strides: rowMajorStrides(shape),
    offset: 0,
  });
  const places = [p.entries, p.heads, p.rows];
  const rows = [p.batch, p.heads, p.count];
  return new Map([
    ["target", rowMajor(p.targetDType, [...places, p.headDim])],
    ["source", rowMajor(sourceDType, [...rows, p.headDim])],
    ...(p.targetDType === "int8" ? [["scales", rowMajor("float32", places)] as const] : []),
    ...(sourceDType === "int8" ? [["sourceScales", rowMajor("float32", rows)] as const] : []),
  ]);
}

/** The program for a source that has the dtype given on the device. */
function programOf(
  problem: ScatterProblem,
  sourceDType: DType,
  { capabilities }: Pick<Context, "capabilities">,
): Program<DeviceCall> {
  const from = elementOf[sourceDType] as Element;
  const schedule = (layouts: Layouts) => {
    const made = scheduleScatter(problem, from, layouts, capabilities);
    if (made) return made;
    const reasons = [{ code: "size", message: tooLarge }];
    throw new UnsupportedError([{ backend: backendName, reasons }]);
  };
  const layouts = layoutsOf(problem, sourceDType);
  return {
    description: descriptionOf(problem, from),
    reads: [
      "target",
      ...(problem.targetDType === "int8" ? ["scales"] : []),
      "source",
      ...(from === "i8" ? ["sourceScales"] : []),
    ],
    writes: [],
    updates: true,
    dense: { layouts, schedule: schedule(layouts) },
    rulesBytes: 4 * problem.batch * problem.count,
    encode: ({ slots }) => new Uint8Array(slots.slice().buffer),
    schedule,
  };
}

function descriptionOf(
  { targetDType }: ScatterProblem,
  from: Element | undefined,
): PlanDescription {
  const to = elementOf[targetDType];
  return {
    kernel: from && to ? scatterKernel(from, to).name : "scatter-rows",
    tiles: {},
    workspaceBytes: 0,
    dispatches: 1,
    notes: ["a source in host memory is converted there; a target in host memory is written there"],
  };
}

/** A problem made ready to run: on the device where the target is there, and in JavaScript elsewhere. */
export class ScatterPlan implements KernelPlan<BoundScatter, ScatterOutputs> {
  readonly description: PlanDescription;
  readonly #problem: ScatterProblem;
  readonly #context: Context;
  /** Plans by the dtype that the source has on the device, made when first needed. */
  readonly #plans = new Map<DType, DevicePlan<DeviceCall, object>>();

  constructor(problem: ScatterProblem, context: Context) {
    this.description = descriptionOf(problem, elementOf[problem.sourceDType]);
    this.#problem = problem;
    this.#context = context;
  }

  async run(bound: BoundScatter): Promise<ScatterOutputs> {
    const { target, scales, source, slots, outputs } = bound;
    if (!isDeviceTensor(target)) {
      scatterRows(bound as BoundScatter<HostTensor>);
      return outputs;
    }
    checkBuffers(target, source);
    const { problem, inputs } = bound;
    const given = isDeviceTensor(source)
      ? { source, sourceScales: undefined }
      : this.#convert(source, slots);
    const reads: Tensor[] = [
      target,
      ...(scales ? [scales] : []),
      given.source,
      ...(given.sourceScales ? [given.sourceScales] : []),
    ];
    await this.#planFor(given.source.dtype).run({ problem, inputs, reads, slots });
    return outputs;
  }

  dispose(): void {
    for (const plan of this.#plans.values()) plan.dispose();
    this.#plans.clear();
  }

  #planFor(dtype: DType): DevicePlan<DeviceCall, object> {
    let plan = this.#plans.get(dtype);
    if (!plan) {
      plan = new DevicePlan(this.#context, programOf(this.#problem, dtype, this.#context));
      this.#plans.set(dtype, plan);
    }
    return plan;
  }

  /** The rows of a source in host memory as the target has them, so that they are rounded once. */
  #convert(
    source: HostTensor,
    slots: Int32Array,
  ): { readonly source: HostTensor; readonly sourceScales: HostTensor | undefined } {
    const { batch, heads, count, headDim, targetDType } = this.#problem;
    const target = zeros(targetDType, [batch, heads, count, headDim]);
    const scales = targetDType === "int8" ? zeros("float32", [batch, heads, count]) : undefined;
    scatterRows({
      problem: { ...this.#problem, entries: batch, rows: count },
      target,
      source,
      scales,
      slots: slots.map((slot, at) => (slot < 0 ? slot : at)),
    });
    return { source: target, sourceScales: scales };
  }
}

/**
 * A dispatch may not read a buffer that it writes, whichever parts of it.
 *
 * @throws InvalidInputError
 */
function checkBuffers(target: Tensor, source: Tensor): void {
  if (!isDeviceTensor(target) || !isDeviceTensor(source)) return;
  const [written, read] = [storageOf(target, GpuStorage), storageOf(source, GpuStorage)];
  if (written === null || read === null || written.buffer !== read.buffer) return;
  throw new InvalidInputError("source", "a buffer of its own", "a view of the target's buffer");
}
