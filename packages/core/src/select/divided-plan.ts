import { type BoundAttention, bindAttention } from "../attention/bind.js";
import { Assembly, type PartOutputs } from "../attention/division/assemble.js";
import { describeDivision } from "../attention/division/divide.js";
import { partCall } from "../attention/division/part-inputs.js";
import { type Division, partsOf } from "../attention/division/parts.js";
import type { AttentionInputs } from "../attention/inputs.js";
import { attention } from "../attention/operation.js";
import type { AttentionProblem } from "../attention/problem.js";
import type { AbortSignalLike } from "../operation/abort.js";
import type { Plan, PlanDescription } from "../operation/backend.js";
import { type Bound, outputsOf } from "../operation/operation.js";
import type { DeviceMemory } from "../tensor/device.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";
import type { DeviceTensor, HostTensor, Tensor } from "../tensor/tensor.js";
import { startPlan } from "./run-plan.js";

/** Runs a call of attention part by part, and puts the outputs together in host memory. */
export class DividedPlan implements Plan {
  readonly description: PlanDescription;
  readonly #problem: AttentionProblem;
  readonly #division: Division;
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #memory: DeviceMemory | undefined;

  /**
   * @param plans of the parts' problems, by their keys
   * @param why the call is divided, in words
   * @param memory the backend's, for outputs of calls whose inputs are there
   */
  constructor(
    problem: AttentionProblem,
    division: Division,
    plans: ReadonlyMap<string, Plan>,
    why: string,
    memory: DeviceMemory | undefined,
  ) {
    this.#problem = problem;
    this.#division = division;
    this.#plans = plans;
    this.#memory = memory;
    const of = [...plans.values()].map(({ description }) => description);
    const [first] = of as [PlanDescription];
    const count = partsOf(problem, division).length;
    this.description = {
      ...first,
      ...(division.keys > 1 && { splits: division.keys }),
      workspaceBytes: Math.max(...of.map(({ workspaceBytes }) => workspaceBytes)),
      dispatches: count * Math.max(...of.map(({ dispatches }) => dispatches)),
      notes: [
        `computed in ${count} parts, ${describeDivision(division)}: ${why}`,
        ...(first.notes ?? []),
      ],
    };
  }

  run(inputs: unknown): Promise<object> {
    return this.runBound(bindAttention(this.#problem, inputs as AttentionInputs));
  }

  async runBound(bound: Bound, signal?: AbortSignalLike): Promise<object> {
    const call = bound as BoundAttention;
    const made = outputsOf(attention.operands(this.#problem));
    const whole = new Assembly(made, this.#problem.keyLength);
    for (const part of partsOf(this.#problem, this.#division)) {
      if (signal?.aborted) throw signal.reason;
      const { inputs, dispose } = partCall(call, part);
      try {
        const bound = attention.bind(attention.describe(inputs), inputs);
        const plan = this.#plans.get(bound.problem.key) as Plan;
        const outputs = (await startPlan(plan, bound, signal)) as Record<string, Tensor>;
        whole.add(part, await onHost(outputs));
      } finally {
        dispose();
      }
    }
    const onDevice = call.reads.some((t) => isDeviceTensor(t));
    return onDevice ? upload(whole.outputs, this.#memory as DeviceMemory) : whole.outputs;
  }

  dispose(): void {
    for (const plan of this.#plans.values()) plan.dispose();
  }
}

/** Outputs in host memory; those on a device are copied and disposed. */
async function onHost(outputs: Readonly<Record<string, Tensor>>): Promise<PartOutputs> {
  const given = Object.entries(outputs);
  const read: [string, HostTensor][] = [];
  try {
    for (const [name, t] of given) {
      read.push([name, isDeviceTensor(t) ? await t.read() : (t as HostTensor)]);
    }
  } finally {
    for (const [, t] of given) if (isDeviceTensor(t)) t.dispose();
  }
  return Object.fromEntries(read);
}

/** Outputs stay where the inputs are. */
async function upload(
  outputs: Readonly<Record<string, HostTensor>>,
  memory: DeviceMemory,
): Promise<object> {
  const uploaded: [string, DeviceTensor][] = [];
  try {
    for (const [name, t] of Object.entries(outputs)) uploaded.push([name, await memory.upload(t)]);
  } catch (thrown) {
    for (const [, t] of uploaded) t.dispose();
    throw thrown;
  }
  return Object.fromEntries(uploaded);
}
