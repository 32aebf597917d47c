import {
  type AbortSignalLike,
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProblem,
  type Backend,
  BackendError,
  type Bound,
  DisposedError,
  type HostTensor,
  isDeviceTensor,
  OutOfMemoryError,
  type Plan,
  type Problem,
  type Provider,
  type Tensor,
  tensor,
} from "@heed/core";
import { ThreadEndedError, ThreadQueue } from "./queue.js";
import { type Script, startThread, type Thread } from "./thread.js";

/**
 * Floating-point operations from which a call is computed by the worker: some 5 ms on one thread. Shorter ones are
 * over before a message to a worker and back would be worth it.
 */
const fewestOperations: Readonly<Record<Script, number>> = { wasm: 1.5e8, js: 1.5e7 };

/**
 * A backend whose long calls of attention are computed by a worker. All else (short calls, other operations, tensors in
 * its memory) is computed by a backend on the calling thread, which also says what is supported.
 *
 * @param options of the backend in the worker
 * @param backends `local`: on the calling thread, beside the worker; `alone`: if there can be no worker
 * @param start starts the worker; tests start others
 */
export function inWorker(
  script: Script,
  options: object,
  backends: { readonly local: () => Promise<Provider>; readonly alone: () => Promise<Provider> },
  start: (script: Script) => Thread = startThread,
): Provider {
  const load = async (): Promise<Backend> => {
    const queue = new ThreadQueue(() => start(script), options);
    let threads: number;
    try {
      threads = await queue.ready();
    } catch (thrown) {
      queue.close();
      return withNote(
        await (await backends.alone()).load(),
        `no worker, so that long calls block: ${messageOf(thrown)}`,
      );
    }
    const local = await (await backends.local()).load();
    return new WorkerBackend(local, queue, fewestOperations[script], threads);
  };
  return { name: script, load };
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The same backend, with one more note. */
function withNote(backend: Backend, note: string): Backend {
  const { info } = backend;
  return Object.create(backend, {
    info: { get: () => ({ ...info, notes: [...(info.notes ?? []), note] }) },
    supports: { value: (problem: Problem) => backend.supports(problem) },
    plan: { value: (problem: Problem) => backend.plan(problem) },
    dispose: { value: () => backend.dispose() },
    memory: { value: backend.memory },
  });
}

class WorkerBackend implements Backend {
  readonly name: string;
  readonly info: Backend["info"];
  readonly memory: Backend["memory"];
  readonly #local: Backend;
  readonly #queue: ThreadQueue;
  readonly #fewest: number;

  constructor(local: Backend, queue: ThreadQueue, fewest: number, threads: number) {
    this.name = local.name;
    const note = "long calls are computed in a worker";
    this.info = { ...local.info, threads, notes: [...(local.info.notes ?? []), note] };
    this.memory = local.memory;
    this.#local = local;
    this.#queue = queue;
    this.#fewest = fewest;
  }

  supports(problem: Problem): ReturnType<Backend["supports"]> {
    return this.#local.supports(problem);
  }

  async plan<Inputs, Outputs>(problem: Problem<Inputs, Outputs>): Promise<Plan<Inputs, Outputs>> {
    const plan = await this.#local.plan(problem);
    if (problem.operation !== "attention") return plan;
    const call = problem as never as AttentionProblem;
    if (operationsOf(call) < this.#fewest || hasPrograms(call)) return plan;
    return new WorkerPlan(this.name, plan as never, this.#queue) as never;
  }

  dispose(): void {
    this.#queue.close();
    this.#local.dispose();
  }
}

/** Programs and block masks are objects of this thread. */
function hasPrograms({ maskMod, scoreMod, blockMask }: AttentionProblem): boolean {
  return maskMod !== null || scoreMod !== null || blockMask !== null;
}

/** At most: as if every query saw every key. */
function operationsOf(p: AttentionProblem): number {
  return 2 * p.batch * p.queryHeads * p.queryLength * p.keyLength * (p.headDim + p.valueDim);
}

class WorkerPlan implements Plan<AttentionInputs, AttentionOutputs> {
  readonly description: Plan["description"];
  readonly #backend: string;
  readonly #local: Plan<AttentionInputs, AttentionOutputs>;
  readonly #queue: ThreadQueue;
  #disposed = false;

  constructor(backend: string, local: Plan<AttentionInputs, AttentionOutputs>, queue: ThreadQueue) {
    this.#backend = backend;
    this.#local = local;
    this.#queue = queue;
    const notes = [...(local.description.notes ?? []), "computed in a worker"];
    this.description = { ...local.description, notes };
  }

  run(inputs: AttentionInputs): Promise<AttentionOutputs> {
    if (this.#disposed) return Promise.reject(new DisposedError("plan"));
    if (Object.values(inputs).some(isDeviceTensor)) return this.#local.run(inputs);
    return this.#compute(inputs, undefined);
  }

  runBound(bound: Bound, signal?: AbortSignalLike): Promise<AttentionOutputs> {
    if (this.#disposed) return Promise.reject(new DisposedError("plan"));
    if (bound.reads.some(isDeviceTensor)) {
      return this.#local.runBound?.(bound, signal) ?? this.run(bound.inputs as AttentionInputs);
    }
    return this.#compute(bound.inputs as AttentionInputs, signal);
  }

  async #compute(
    inputs: AttentionInputs,
    signal: AbortSignalLike | undefined,
  ): Promise<AttentionOutputs> {
    let response: Awaited<ReturnType<ThreadQueue["run"]>>;
    try {
      response = await this.#queue.run(() => copied(inputs), signal);
    } catch (cause) {
      const ended = cause instanceof ThreadEndedError;
      const message = ended ? cause.message : `the worker cannot be used: ${messageOf(cause)}`;
      throw new BackendError(this.#backend, message, { cause });
    }
    if ("failure" in response) {
      const { code, message } = response.failure;
      if (code === "out-of-memory") throw new OutOfMemoryError(this.#backend, message);
      throw new BackendError(this.#backend, `in the worker: ${message}`);
    }
    // Classes do not survive a message.
    const outputs = Object.entries(response.outputs).map(([name, { data, shape, dtype }]) => [
      name,
      tensor(data, shape, { dtype }),
    ]);
    return Object.fromEntries(outputs);
  }

  dispose(): void {
    this.#disposed = true;
    this.#local.dispose();
  }
}

/** Inputs with copies of their tensors' elements, which can be handed over to a worker. */
function copied(inputs: AttentionInputs): { inputs: object; tensors: readonly HostTensor[] } {
  const tensors = new Map<unknown, HostTensor>();
  const members = Object.entries(inputs).map(([name, value]) => {
    if (typeof value !== "object" || value === null || !("shape" in value)) return [name, value];
    const copy = tensors.get(value) ?? copyOf(value as Tensor as HostTensor);
    tensors.set(value, copy);
    return [name, copy];
  });
  return { inputs: Object.fromEntries(members), tensors: [...tensors.values()] };
}

/** The elements that a tensor reaches, with the same strides. */
function copyOf({ data, dtype, shape, strides, offset }: HostTensor): HostTensor {
  const last = shape.reduce((at, size, i) => at + (size - 1) * (strides[i] as number), offset);
  const elements = shape.includes(0) ? data.slice(0, 0) : data.slice(offset, last + 1);
  return { data: elements as never, dtype, shape, strides, offset: 0 };
}
