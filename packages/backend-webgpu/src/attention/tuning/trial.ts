import {
  type AttentionOutputs,
  type AttentionProblem,
  attention,
  type BoundAttention,
  DeviceError,
  type DeviceTensor,
  outputsOf,
} from "@heed/core";
import type { Context } from "../../context.js";
import { DevicePlan } from "../../execution/plan.js";
import type { Choice } from "../choice/choice.js";
import { decisionOf, programOf } from "../program.js";
import { Expected } from "./agreement.js";
import type { Trial } from "./search.js";

type Plan = DevicePlan<BoundAttention, AttentionOutputs<DeviceTensor>>;

/** Milliseconds that a measurement should take: much longer than it takes to submit and to hear that it is done. */
const sampleMs = 10;
/** Most calls of a measurement. */
const mostCalls = 200;
/** A call that takes longer is measured by itself, in as many submissions as the backend makes of it. */
const longCallMs = 50;

/** Trials of one problem, on one call. The first one that is checked has the results that others must agree with. */
export class Trials {
  readonly #problem: AttentionProblem;
  readonly #context: Context;
  readonly #bound: BoundAttention<DeviceTensor>;
  readonly #outputs: Readonly<Record<string, DeviceTensor>>;
  #expected: readonly Expected[] | null = null;

  /**
   * @param context whose memory nobody else uses
   * @param bound with every tensor on the device
   */
  constructor(problem: AttentionProblem, context: Context, bound: BoundAttention<DeviceTensor>) {
    this.#problem = problem;
    this.#context = context;
    this.#bound = bound;
    this.#outputs = Object.fromEntries(
      outputsOf(attention.operands(problem)).map(({ name, dtype, shape }) => [
        name,
        context.memory.allocate(dtype, shape),
      ]),
    );
  }

  /** @throws DeviceError (rejects) if a kernel does not compile */
  async open(choice: Choice): Promise<Trial> {
    const { capabilities } = this.#context;
    const decision = decisionOf(this.#problem, choice, capabilities);
    if (decision === null) throw new DeviceError("webgpu", "its parts are larger than a binding");
    const program = programOf(this.#problem, decision, this.#context);
    const plan: Plan = new DevicePlan(this.#context, program);
    try {
      await plan.prepare();
    } catch (error) {
      plan.dispose();
      throw error;
    }
    return new DeviceTrial(this, plan);
  }

  dispose(): void {
    for (const t of Object.values(this.#outputs)) t.dispose();
  }

  /** Compares the results of a plan, or keeps them to compare others with. */
  async check(plan: Plan): Promise<string | null> {
    // A plan that leaves out a part must not find it in the buffers of one that has computed it.
    this.#context.memory.pool.trim();
    const made = Object.entries(await plan.run(this.#bound)) as [string, DeviceTensor][];
    try {
      const expected: Expected[] = [];
      for (const [i, [name, t]] of made.entries()) {
        const got = await t.read();
        const difference = this.#expected?.[i]?.difference(got) ?? null;
        if (difference !== null) return difference;
        if (this.#expected === null) expected.push(new Expected(name, got));
      }
      if (this.#expected !== null) return null;
      this.#expected = expected;
      return expected[0]?.useless() ?? null;
    } finally {
      for (const [, t] of made) t.dispose();
    }
  }

  /** Milliseconds of one call, in which everything is submitted as usual. */
  async timeRun(plan: Plan): Promise<number> {
    const { commands, device, memory } = this.#context;
    commands.submit();
    await memory.faults.orLost(device.queue.onSubmittedWorkDone());
    const start = performance.now();
    const outputs = Object.values(await plan.run(this.#bound)) as DeviceTensor[];
    commands.submit();
    try {
      await memory.faults.orLost(device.queue.onSubmittedWorkDone());
      return performance.now() - start;
    } finally {
      for (const t of outputs) t.dispose();
    }
  }

  /** Milliseconds of a call, of several that are one submission: recording them is not counted. */
  async timeCalls(plan: Plan, calls: number): Promise<number> {
    const { device, memory } = this.#context;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < calls; i++) plan.encode(pass, this.#bound, this.#outputs);
    pass.end();
    const commands = encoder.finish();
    const { faults } = memory;
    await faults.orLost(device.queue.onSubmittedWorkDone());
    const start = performance.now();
    const { accepted } = faults.watch("running a candidate", () => device.queue.submit([commands]));
    await faults.orLost(device.queue.onSubmittedWorkDone());
    const ms = (performance.now() - start) / calls;
    await accepted;
    return ms;
  }
}

/** One choice, compiled. */
class DeviceTrial implements Trial {
  readonly #trials: Trials;
  readonly #plan: Plan;
  /** Calls of a measurement; null: it is a single run, since a call takes long. */
  #calls: number | null | undefined;

  constructor(trials: Trials, plan: Plan) {
    this.#trials = trials;
    this.#plan = plan;
  }

  check(): Promise<string | null> {
    return this.#trials.check(this.#plan);
  }

  async time(): Promise<number> {
    if (this.#calls === undefined) {
      const ms = await this.#trials.timeRun(this.#plan);
      if (ms > longCallMs) {
        this.#calls = null;
        return ms;
      }
      // A run by itself takes the time of submitting as well: a second estimate without it.
      const few = await this.#trials.timeCalls(this.#plan, 3);
      this.#calls = Math.min(mostCalls, Math.max(1, Math.round(sampleMs / Math.max(few, 1e-3))));
    }
    return this.#calls === null
      ? this.#trials.timeRun(this.#plan)
      : this.#trials.timeCalls(this.#plan, this.#calls);
  }

  dispose(): void {
    this.#plan.dispose();
  }
}
