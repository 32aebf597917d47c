import { makeDisposable } from "../disposable.js";
import {
  DisposedError,
  describeValue,
  InvalidInputError,
  type SupportReason,
  UnsupportedError,
} from "../errors.js";
import { reading } from "../options.js";
import type { DeviceMemory } from "../tensor/device.js";
import { type DType, isDType } from "../tensor/dtype.js";
import { checkTensor, isDeviceTensor } from "../tensor/host-tensor.js";
import { checkShape } from "../tensor/layout.js";
import type { DeviceTensor, HostTensor } from "../tensor/tensor.js";
import type {
  Backend,
  BackendInfo,
  Plan,
  PlanDescription,
  PlanOptions,
  Provider,
  Support,
  TuneRequest,
} from "./backend.js";
import type { AnyOperation, BoundOf, OutputsOf, ProblemOf } from "./operation.js";
import { checkProblem, type Problem } from "./problem.js";
import { StartablePlan } from "./startable-plan.js";

/** Whether a backend computes a problem: with which decision, or why not. */
export type Verdict<Decision> =
  | {
      readonly decision: Decision;
      /** The answer of `supports`; see there. */
      readonly notes?: readonly string[];
    }
  | { readonly reasons: readonly SupportReason[] };

/** A problem made ready to run by a backend's own code. */
export interface KernelPlan<B, Outputs> {
  readonly description: PlanDescription;
  /**
   * Computes a call that is valid and bound. Its device tensors carry this backend's name. May be
   * called again before an earlier call is done.
   */
  run(bound: B): Outputs | Promise<Outputs>;
  /** Releases what has to be released by hand. Called once, when no run is under way. */
  dispose?(): void;
}

/** One operation on one backend. */
export interface OperationKernels<O extends AnyOperation, Context, Decision = undefined> {
  /**
   * Decides whether and how a problem is computed: kernel, tiles, splits. Pure and cheap. It is asked
   * once a problem; the decision is kept and handed to `plan`. Left out: every problem is computed.
   */
  readonly decide?: (problem: ProblemOf<O>, context: Context) => Verdict<Decision>;
  /**
   * Prepares for a problem that `decide` accepted. May import kernels, so that they are loaded when
   * the operation is first used.
   */
  readonly plan: (
    problem: ProblemOf<O>,
    decision: Decision,
    context: Context,
  ) => KernelPlan<BoundOf<O>, OutputsOf<O>> | Promise<KernelPlan<BoundOf<O>, OutputsOf<O>>>;
  /**
   * Measures what `decide` chooses by rule, for a problem that it accepts: all later decisions may follow from it. Left
   * out: there is nothing to measure.
   */
  readonly tune?: (problem: ProblemOf<O>, request: TuneRequest, context: Context) => Promise<void>;
}

/** An operation together with one backend's kernels for it; made by {@link implement}. */
export interface Implementation<Context> {
  readonly operation: AnyOperation;
  // biome-ignore lint/suspicious/noExplicitAny: what is decided passes from decide to plan unseen
  readonly kernels: OperationKernels<AnyOperation, Context, any>;
}

/** Ties a backend's kernels to the operation that they compute. */
export function implement<O extends AnyOperation, Context, Decision = undefined>(
  operation: O,
  kernels: OperationKernels<O, Context, Decision>,
): Implementation<Context> {
  return { operation, kernels: kernels as Implementation<Context>["kernels"] };
}

/** A backend, as its author describes it. */
export interface BackendDefinition<Context> {
  /** Stable name, e.g. `"wasm"`. */
  readonly name: string;
  /**
   * Loads whatever the backend needs; the result is handed to everything else.
   *
   * @throws BackendUnavailableError (rejects) with the reason, where it cannot work
   */
  readonly load: () => Context | Promise<Context>;
  /** Describes the runtime and device of the loaded backend; asked again after choices were measured. */
  readonly info: (context: Context) => BackendInfo;
  /** Every operation that the backend computes, under its name. */
  readonly operations: Readonly<Record<string, Implementation<Context>>>;
  /** Memory of its own; left out, the backend computes on host tensors alone. */
  readonly memory?: (context: Context) => DeviceMemory;
  /** Releases what was loaded. Called once. */
  readonly dispose?: (context: Context) => void;
}

/**
 * A provider made of kernels and what they run on. Everything that all backends have in common is
 * done here: refusing in `plan` what `decide` refuses, refusing operations that the backend lacks,
 * deciding once a problem, binding calls, checking whatever enters the backend's memory, turning
 * away tensors of other backends, and failing after `dispose`.
 */
export function defineBackend<Context>(definition: BackendDefinition<Context>): Provider {
  checkDefinition(definition);
  return {
    name: definition.name,
    load: async () => new DefinedBackend(definition, await definition.load()),
  };
}

/** @throws InvalidInputError naming what is missing from a definition */
function checkDefinition(definition: unknown): void {
  if (typeof definition !== "object" || definition === null) {
    throw new InvalidInputError("definition", "an object", describeValue(definition));
  }
  const kinds = { name: "string", load: "function", info: "function", operations: "object" };
  for (const [name, kind] of Object.entries(kinds)) {
    const member = reading("definition", () => (definition as Record<string, unknown>)[name]);
    if (typeof member === kind && member !== null) continue;
    throw new InvalidInputError(
      `definition.${name}`,
      `a value of type ${kind}`,
      describeValue(member),
    );
  }
}

/** Verdicts kept for each operation; the oldest goes first. */
const verdictsKept = 256;

class DefinedBackend<Context> implements Backend, Maker {
  readonly name: string;
  #info: BackendInfo;
  readonly memory?: DeviceMemory;
  readonly upload?: (tensor: HostTensor) => Promise<DeviceTensor>;
  readonly #definition: BackendDefinition<Context>;
  readonly #context: Context;
  readonly #verdicts = new Map<string, Map<string, Verdict<unknown>>>();
  #disposed = false;

  constructor(definition: BackendDefinition<Context>, context: Context) {
    this.name = definition.name;
    this.#info = definition.info(context);
    this.#definition = definition;
    this.#context = context;
    if (definition.memory) {
      const memory = checkedMemory(definition.memory(context), () => this.checkAlive());
      this.memory = memory;
      this.upload = memory.upload;
    }
  }

  get info(): BackendInfo {
    return this.#info;
  }

  supports(problem: Problem): Support {
    checkProblem(problem);
    const verdict = this.#verdict(problem);
    if ("reasons" in verdict) return { ok: false, reasons: verdict.reasons };
    const { notes = [] } = verdict;
    return notes.length === 0 ? { ok: true } : { ok: true, notes };
  }

  plan<Inputs, Outputs>(
    problem: Problem<Inputs, Outputs>,
    { tune }: PlanOptions = {},
  ): Plan<Inputs, Outputs> | Promise<Plan<Inputs, Outputs>> {
    this.checkAlive();
    checkProblem(problem);
    const verdict = this.#verdict(problem);
    if ("reasons" in verdict) {
      throw new UnsupportedError([{ backend: this.name, reasons: verdict.reasons }]);
    }
    const { operation, kernels } = this.#implementation(problem) as Implementation<Context>;
    if (tune !== undefined && kernels.tune !== undefined) {
      return this.#tune(problem, operation, kernels.tune(problem as never, tune, this.#context));
    }
    const made = kernels.plan(problem as never, verdict.decision, this.#context);
    const wrap = (plan: KernelPlan<unknown, unknown>) =>
      new DefinedPlan<Inputs, Outputs>(this, operation, problem, plan);
    return made instanceof Promise ? made.then(wrap) : wrap(made);
  }

  /** Makes the plan of a problem once its choices were measured, which may change other problems' as well. */
  async #tune<Inputs, Outputs>(
    problem: Problem<Inputs, Outputs>,
    { name }: AnyOperation,
    tuned: Promise<void>,
  ): Promise<Plan<Inputs, Outputs>> {
    await tuned;
    this.#verdicts.delete(name);
    this.#info = this.#definition.info(this.#context);
    return this.plan(problem);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#verdicts.clear();
    this.#definition.dispose?.(this.#context);
  }

  checkAlive(): void {
    if (this.#disposed) throw new DisposedError("backend");
  }

  #implementation({ operation }: Problem): Implementation<Context> | undefined {
    const { operations } = this.#definition;
    return Object.hasOwn(operations, operation) ? operations[operation] : undefined;
  }

  #verdict(problem: Problem): Verdict<unknown> {
    const { operation, key } = problem;
    let known = this.#verdicts.get(operation);
    if (!known) {
      known = new Map();
      this.#verdicts.set(operation, known);
    }
    const found = known.get(key);
    if (found) return found;
    const verdict = this.#decide(problem);
    if (known.size >= verdictsKept) known.delete(known.keys().next().value as string);
    known.set(key, verdict);
    return verdict;
  }

  #decide(problem: Problem): Verdict<unknown> {
    const implementation = this.#implementation(problem);
    if (!implementation) {
      const message = `does not compute the operation ${problem.operation}`;
      return { reasons: [{ code: "operation", message }] };
    }
    const { decide } = implementation.kernels;
    return decide ? decide(problem as never, this.#context) : { decision: undefined };
  }
}

makeDisposable(DefinedBackend, ["sync", "async"]);

/** The parts of a backend that its plans use. */
interface Maker {
  readonly name: string;
  readonly memory?: DeviceMemory;
  /** @throws DisposedError */
  checkAlive(): void;
}

/** A kernel plan with the promises that every plan keeps. */
class DefinedPlan<Inputs, Outputs> extends StartablePlan implements Plan<Inputs, Outputs> {
  readonly description: PlanDescription;
  readonly #backend: Maker;
  readonly #operation: AnyOperation;
  readonly #problem: Problem;
  #plan: KernelPlan<unknown, unknown> | null;

  constructor(
    backend: Maker,
    operation: AnyOperation,
    problem: Problem,
    plan: KernelPlan<unknown, unknown>,
  ) {
    super();
    this.description = plan.description;
    this.#backend = backend;
    this.#operation = operation;
    this.#problem = problem;
    this.#plan = plan;
  }

  /** Not async: the call is bound before it returns, so that the caller may change its arrays. */
  run(inputs: Inputs): Promise<Outputs> {
    try {
      return this.runBound(this.#operation.bind(this.#problem, inputs));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async runBound(bound: BoundOf<AnyOperation>): Promise<Outputs> {
    return this.start(bound);
  }

  start(bound: BoundOf<AnyOperation>): Outputs | Promise<Outputs> {
    if (this.#plan === null) throw new DisposedError("plan");
    this.#backend.checkAlive();
    this.#checkDevices(bound);
    return this.#plan.run(bound) as Outputs | Promise<Outputs>;
  }

  dispose(): void {
    const plan = this.#plan;
    this.#plan = null;
    plan?.dispose?.();
  }

  #checkDevices(bound: BoundOf<AnyOperation>): void {
    const { reads } = bound;
    const { name, memory } = this.#backend;
    for (let i = 0; i < reads.length; i++) {
      const t = reads[i];
      if (!isDeviceTensor(t) || (memory && t.backend === name)) continue;
      throw new InvalidInputError(
        this.#operation.operands(this.#problem)[i]?.name ?? `input ${i}`,
        memory ? "a tensor in this backend's memory, or a host tensor" : "a host tensor",
        `a tensor of backend ${t.backend}`,
      );
    }
  }
}

makeDisposable(DefinedPlan, ["sync", "async"]);

/** The memory behind core's checks: whatever a backend copies in or allocates is well-formed. */
function checkedMemory(memory: DeviceMemory, checkAlive: () => void): DeviceMemory {
  return {
    upload: async (t) => {
      checkAlive();
      checkTensor("tensor", t);
      if (isDeviceTensor(t)) {
        throw new InvalidInputError("tensor", "a host tensor", `a tensor of backend ${t.backend}`);
      }
      return memory.upload(t);
    },
    allocate: (dtype: DType, shape) => {
      checkAlive();
      if (!isDType(dtype)) {
        throw new InvalidInputError("dtype", "an element type", describeValue(dtype));
      }
      checkShape("shape", shape);
      return memory.allocate(dtype, shape);
    },
  };
}
