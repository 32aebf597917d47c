import {
  type AttentionBackend,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  attention,
  type Backend,
  type BackendInfo,
  type Bound,
  type BoundAttention,
  type BoundMerge,
  type BoundProjection,
  type BoundRmsNorm,
  type BoundRotary,
  type DeviceMemory,
  type DeviceTensor,
  defineBackend,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  implement,
  type MergeOutputs,
  type MergeProblem,
  merge,
  type Plan,
  type PlanDescription,
  type PlanOptions,
  type Problem,
  type ProjectionOutputs,
  projection,
  type RmsNormOutputs,
  type RmsNormProblem,
  type RotaryOutputs,
  type RotaryProblem,
  rmsNorm,
  rotary,
  type Support,
  scatter,
  type TuneRequest,
  type Verdict,
} from "@heed/core";
import { type Choice, choose, type Preferences } from "./attention/choose.js";
import { type Decision, decide, programOf } from "./attention/program.js";
import type { DeviceTuning } from "./attention/tuning/device-tuning.js";
import { defaultBudget, type TuneOptions, type TuneResult } from "./attention/tuning/options.js";
import { newRemembered, type Remembered, tuningOf } from "./attention/tuning/remembered.js";
import type { Capabilities } from "./capabilities.js";
import { Context } from "./context.js";
import type { OpenDevice } from "./device.js";
import { DevicePlan } from "./execution/plan.js";
import type { Program } from "./execution/program.js";
import type { DenseDecision, ScheduledOperation } from "./execution/scheduled.js";
import { mergeOnDevice } from "./merge/program.js";
import { backendName } from "./name.js";
import {
  decideProjection,
  type ProjectionDecision,
  projectionProgram,
} from "./projection/program.js";
import { rmsNormOnDevice } from "./rms-norm/program.js";
import { rotaryOnDevice } from "./rotary/program.js";
import { decideScatter, ScatterPlan } from "./scatter/plan.js";

type AttentionDevicePlan = DevicePlan<BoundAttention, AttentionOutputs>;

/** Plans of attention by their descriptions, which core hands through: what `encode` needs. */
const devicePlans = new WeakMap<PlanDescription, AttentionDevicePlan>();

/** Core's backend on a device, and its context. */
async function loadCore(
  open: OpenDevice,
  preferences: Preferences,
  tuning: DeviceTuning,
): Promise<{ backend: Backend; context: Context }> {
  const context = new Context(open, preferences, tuning);
  const { name: device, features, notes } = open;
  const provider = defineBackend<Context>({
    name: backendName,
    load: () => context,
    info: () => {
      const { table, notes: tuned } = tuning;
      const all = [...notes, ...tuned];
      const info = { runtime: "WebGPU", device, features, threads: 1, notes: all };
      return table === null ? info : { ...info, tuning: table };
    },
    operations: {
      attention: implement<typeof attention, Context, Decision>(attention, {
        decide,
        plan: async (problem, decision) => {
          const program = programOf(problem, decision, context);
          const plan = await makePlan<BoundAttention, AttentionOutputs>(context, program);
          devicePlans.set(plan.description, plan);
          return plan;
        },
        tune: async (problem, request) => {
          context.checkAlive();
          const { tune } = await import("./attention/tuning/tune.js");
          const { onResult, inputs, ...options } = request as TuneRequest & TuneOptions;
          const result = await tune(problem, context, {
            ...options,
            inputs: inputs as AttentionInputs | undefined,
          });
          onResult?.(result);
        },
      }),
      merge: implement<typeof merge, Context, DenseDecision>(
        merge,
        onDevice<MergeProblem, BoundMerge, MergeOutputs>(context, mergeOnDevice),
      ),
      rotary: implement<typeof rotary, Context, DenseDecision>(
        rotary,
        onDevice<RotaryProblem, BoundRotary, RotaryOutputs>(context, rotaryOnDevice),
      ),
      rmsNorm: implement<typeof rmsNorm, Context, DenseDecision>(
        rmsNorm,
        onDevice<RmsNormProblem, BoundRmsNorm, RmsNormOutputs>(context, rmsNormOnDevice),
      ),
      projection: implement<typeof projection, Context, ProjectionDecision>(projection, {
        decide: decideProjection,
        plan: (problem, decision) =>
          makePlan<BoundProjection, ProjectionOutputs>(
            context,
            projectionProgram(problem, decision, context),
          ),
      }),
      scatter: implement<typeof scatter, Context>(scatter, {
        decide: decideScatter,
        plan: (problem) => new ScatterPlan(problem, context),
      }),
    },
    memory: ({ memory }) => memory,
    dispose: (loaded) => loaded.dispose(),
  });
  return { backend: await provider.load(), context };
}

/** An operation that is nothing but its dispatches, as core's `implement` takes it. */
function onDevice<P extends Problem, B extends Bound, Outputs>(
  context: Context,
  { decide, program }: ScheduledOperation<P, B>,
): {
  decide: (problem: P, context: Context) => Verdict<DenseDecision>;
  plan: (problem: P, decision: DenseDecision) => Promise<DevicePlan<B, Outputs>>;
} {
  return {
    decide,
    plan: (problem, decision) => makePlan(context, program(problem, decision, context)),
  };
}

/** A plan whose kernels are compiled. */
async function makePlan<B extends Bound, Outputs>(
  context: Context,
  program: Program<B>,
): Promise<DevicePlan<B, Outputs>> {
  context.checkAlive();
  const plan = new DevicePlan<B, Outputs>(context, program);
  await plan.prepare();
  return plan;
}

/** The backend on one GPUDevice. */
export class WebGpuBackend implements Backend, AttentionBackend {
  readonly name: string;
  readonly memory: DeviceMemory;
  /** The device that everything runs on. */
  readonly device: GPUDevice;
  readonly #backend: Backend;
  readonly #context: Context;

  // Private, so that the declarations of this package do not name what it is made of.
  private constructor(backend: Backend, context: Context) {
    this.name = backend.name;
    this.memory = backend.memory as DeviceMemory;
    this.device = context.device;
    this.#backend = backend;
    this.#context = context;
  }

  /**
   * Loads the backend on a device that is open.
   *
   * @param open the device; if it is owned, the backend destroys it
   * @param remembered tables of tuning, and what the provider's earlier backends measured
   */
  static async on(
    open: OpenDevice,
    preferences: Preferences = {},
    remembered: Remembered = newRemembered(undefined),
  ): Promise<WebGpuBackend> {
    const tuning = await tuningOf(open.identity, remembered);
    const { backend, context } = await loadCore(open, preferences, tuning);
    return new WebGpuBackend(backend, context);
  }

  /** As of now: what was measured is in `tuning`. */
  get info(): BackendInfo {
    return this.#backend.info;
  }

  /** Everything that decisions about kernels know of the device. */
  get capabilities(): Capabilities {
    return this.#context.capabilities;
  }

  /** The kernel and the sizes that a problem gets here. */
  choose(problem: AttentionProblem): Choice {
    const { capabilities, preferences, tuning } = this.#context;
    return choose(problem, capabilities, preferences, tuning.choices);
  }

  /**
   * Measures kernels and sizes for a problem on this device, each of which has to give the same results as the rule's
   * choice, and remembers the fastest for all problems of its class. Nothing else should run meanwhile. The same as
   * `plan` with `tune`, and says what was tried.
   *
   * @throws InvalidInputError (rejects) for a problem whose lists or programs are data, without `inputs`
   * @throws UnsupportedError (rejects) for a problem that is not supported
   * @throws DeviceError (rejects) if the rule's choice fails
   */
  async tune(problem: AttentionProblem, options: TuneOptions = {}): Promise<TuneResult> {
    let result: TuneResult | null = null;
    const { budget = defaultBudget } = options;
    const request: TuneRequest & TuneOptions = {
      ...options,
      budget,
      onResult: (found) => {
        result = found;
      },
    };
    const plan = await this.plan(problem, { tune: request });
    plan.dispose();
    return result as unknown as TuneResult;
  }

  supports(problem: Problem): Support {
    return this.#backend.supports(problem);
  }

  /**
   * Chooses kernels and compiles them; compiled ones are kept.
   *
   * @param options with `tune`, kernels and sizes of attention are measured before
   */
  plan(problem: AttentionProblem, options?: PlanOptions): Promise<WebGpuPlan>;
  plan<Inputs, Outputs>(
    problem: Problem<Inputs, Outputs>,
    options?: PlanOptions,
  ): Promise<Plan<Inputs, Outputs>>;
  async plan(problem: Problem, options?: PlanOptions): Promise<Plan> {
    const plan = await this.#backend.plan(problem, options);
    if (problem.operation !== attention.name) return plan;
    return new WebGpuPlan(problem as AttentionProblem, plan as AttentionPlan) as Plan;
  }

  /** Copies a tensor to the device. */
  upload(t: HostTensor): Promise<DeviceTensor> {
    return this.memory.upload(t);
  }

  /**
   * Submits what calls have recorded so far. Without it, that happens at the end of the turn of the event loop,
   * and before anything is read or handed to the application: needed only before the application asks the queue
   * itself, as by `onSubmittedWorkDone`.
   */
  submit(): void {
    this.#context.commands.submit();
  }

  /** Releases everything but tensors handed out, which keep the device. */
  dispose(): void {
    this.#backend.dispose();
  }
}

/** A problem of attention made ready to run on a device. */
export class WebGpuPlan implements AttentionPlan {
  readonly description: PlanDescription;
  readonly #problem: AttentionProblem;
  readonly #plan: AttentionPlan;

  constructor(problem: AttentionProblem, plan: AttentionPlan) {
    this.description = plan.description;
    this.#problem = problem;
    this.#plan = plan;
  }

  run(inputs: AttentionInputs): Promise<AttentionOutputs> {
    return this.#plan.run(inputs);
  }

  runBound(bound: Bound): Promise<AttentionOutputs> {
    return (this.#plan.runBound as NonNullable<AttentionPlan["runBound"]>).call(this.#plan, bound);
  }

  /**
   * Records the plan into the caller's own commands; nothing is submitted. The first call for a
   * layout of inputs allocates a workspace and a buffer of parameters; later ones allocate nothing on
   * the device. Lengths, offsets and per-head values are written by the queue when this is called,
   * so the commands must be submitted before {@link pendingEncodes} more calls are made, and before
   * the plan or any of the tensors is disposed.
   *
   * Errors of the device go to the caller's error scopes.
   *
   * @param target a compute pass, or an encoder without an open pass
   * @param inputs a call of the plan's problem; every tensor on the backend's device
   * @param outputs those that the problem returns: row-major, without gaps, at multiples of 256 bytes
   * @throws InvalidInputError naming the argument at fault
   */
  encode(
    target: GPUComputePassEncoder | GPUCommandEncoder,
    inputs: AttentionInputs<DeviceTensor>,
    outputs: AttentionOutputs<DeviceTensor>,
  ): void {
    const { key } = describeProblem(inputs);
    if (key !== this.#problem.key) {
      throw new InvalidInputError("inputs", `a call of the problem ${this.#problem.key}`, key);
    }
    const plan = devicePlans.get(this.description) as AttentionDevicePlan;
    plan.encode(target, attention.bind(this.#problem, inputs), { ...outputs });
  }

  dispose(): void {
    this.#plan.dispose();
  }
}
