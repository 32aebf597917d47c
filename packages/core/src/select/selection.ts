import { describeProblem } from "../attention/describe.js";
import type { AttentionInputs } from "../attention/inputs.js";
import { type AttentionProblem, lengthClassKey } from "../attention/problem.js";
import {
  type BackendReasons,
  DisposedError,
  formatReasons,
  InvalidInputError,
  type SupportReason,
  UnsupportedError,
} from "../errors.js";
import type { AttentionBackend, AttentionPlan } from "../operation/backend.js";
import { type HostTensor, isDeviceTensor } from "../tensor/tensor.js";
import type { Attention, AttentionResult, BackendStatus, Explanation } from "./create-attention.js";
import { fastestOf } from "./fastest.js";
import { PlanCache } from "./plan-cache.js";
import { type BackendRecommendation, rankBackends } from "./recommendation.js";

/** A backend that was asked for: loaded, or the reasons why not. */
export interface Slot {
  readonly name: string;
  readonly backend: AttentionBackend | null;
  readonly reasons: readonly SupportReason[];
}

/** A slot whose backend is loaded. */
interface ReadySlot extends Slot {
  readonly backend: AttentionBackend;
}

export interface SelectionOptions {
  readonly select: "order" | "fastest" | BackendRecommendation;
  readonly fallback: "warn" | "error" | "silent";
  readonly planCacheSize: number;
}

interface Choice {
  /** Every slot, in the order of preference for the problem. */
  readonly order: readonly Slot[];
  /** Those that may run the problem, in order of preference. */
  readonly candidates: readonly ReadySlot[];
  /** Those that may not, in order of preference, with their reasons. */
  readonly refusals: ReadonlyMap<Slot, readonly SupportReason[]>;
}

/** Measurements kept for `select: "fastest"`; the oldest goes first. */
const measurementsKept = 1024;

/** What `createAttention` returns: chooses a backend for each call, keeps plans, and runs them. */
export class BackendSelection implements Attention {
  readonly backends: readonly BackendStatus[];
  readonly #slots: readonly Slot[];
  readonly #options: SelectionOptions;
  readonly #plans: PlanCache;
  /** The fastest backend by class of problem, and while it is being measured, the promise of it. */
  readonly #fastest = new Map<string, ReadySlot | Promise<ReadySlot>>();
  readonly #warned = new Set<string>();
  readonly #running = new Set<Promise<unknown>>();
  #disposed: Promise<void> | null = null;

  constructor(slots: readonly Slot[], options: SelectionOptions) {
    this.#slots = slots;
    this.#options = options;
    this.#plans = new PlanCache(options.planCacheSize);
    this.backends = Object.freeze(slots.map(statusOf));
  }

  run(inputs: AttentionInputs<HostTensor>): Promise<AttentionResult<HostTensor>>;
  run(inputs: AttentionInputs): Promise<AttentionResult>;
  async run(inputs: AttentionInputs): Promise<AttentionResult> {
    this.#checkAlive();
    const problem = describeProblem(inputs);
    const running = this.#runProblem(problem, inputs);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  explain(subject: AttentionProblem | AttentionInputs): Explanation {
    this.#checkAlive();
    const inputs = "query" in subject ? subject : null;
    const problem = inputs ? describeProblem(inputs) : (subject as AttentionProblem);
    const { order, candidates, refusals } = this.#choose(problem, inputs ? owner(inputs) : null);
    const chosen = this.#chosenSoFar(problem, candidates);
    const others = order
      .filter((slot) => slot !== chosen)
      .map((slot) => ({
        backend: slot.name,
        reasons: refusals.get(slot) ?? [this.#whyNotChosen(chosen)],
      }));
    return { backend: chosen?.name ?? null, others };
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#release();
    return this.#disposed;
  }

  async #release(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.#plans.clear();
    for (const { backend } of this.#slots) backend?.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new DisposedError("attention");
  }

  async #runProblem(problem: AttentionProblem, inputs: AttentionInputs): Promise<AttentionResult> {
    const choice = this.#choose(problem, owner(inputs));
    const [preferred] = choice.candidates;
    if (preferred === undefined) throw new UnsupportedError(reasonsOf(choice));
    this.#reportFallback(preferred, choice);
    const slot = this.#measures(choice.candidates)
      ? await this.#findFastest(problem, inputs, choice.candidates)
      : preferred;
    const outputs = await this.#withPlan(slot, problem, (plan) => plan.run(inputs));
    return { ...outputs, backend: slot.name };
  }

  #withPlan<R>(
    slot: ReadySlot,
    problem: AttentionProblem,
    use: (plan: AttentionPlan) => Promise<R>,
  ): Promise<R> {
    // Two backends may share a name (two GPUs): the slot's place tells them apart.
    const key = `${this.#slots.indexOf(slot)} ${problem.key}`;
    return this.#plans.with(key, () => slot.backend.plan(problem), use);
  }

  /** @param device the backend whose memory the inputs are in, if any: no other may run them */
  #choose(problem: AttentionProblem, device: string | null): Choice {
    const order = this.#orderFor(problem);
    const candidates: ReadySlot[] = [];
    const refusals = new Map<Slot, readonly SupportReason[]>();
    for (const slot of order) {
      if (!isReady(slot)) {
        refusals.set(slot, slot.reasons);
      } else if (device !== null && slot.name !== device) {
        const message = `the inputs are tensors of backend ${device}`;
        refusals.set(slot, [{ code: "device", message }]);
      } else {
        const support = slot.backend.supports(problem);
        if (support.ok) candidates.push(slot);
        else refusals.set(slot, support.reasons);
      }
    }
    return { order, candidates, refusals };
  }

  #orderFor(problem: AttentionProblem): readonly Slot[] {
    const { select } = this.#options;
    if (typeof select === "string") return this.#slots;
    const ranked = this.#slots.map((slot) => ({
      slot,
      name: slot.name,
      threads: slot.backend?.info.threads ?? null,
    }));
    return rankBackends(select, problem, ranked).map(({ slot }) => slot);
  }

  /** A later backend may not stand in for an earlier one without a word. */
  #reportFallback(preferred: Slot, { order, refusals }: Choice): void {
    if (this.#options.fallback === "silent") return;
    const earlier = order.slice(0, order.indexOf(preferred));
    const passedOver = earlier
      .map((slot) => ({ backend: slot.name, reasons: refusals.get(slot) ?? [] }))
      // That data stays on its device is what the caller asked for, not a fallback.
      .filter(({ reasons }) => reasons.some(({ code }) => code !== "device"));
    if (passedOver.length === 0) return;
    if (this.#options.fallback === "error") throw new UnsupportedError(passedOver);
    const message = `heed: ${preferred.name} runs instead of a backend that comes before it\n${formatReasons(passedOver)}`;
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    console.warn(message);
  }

  #measures(candidates: readonly ReadySlot[]): boolean {
    return this.#options.select === "fastest" && candidates.length > 1;
  }

  #chosenSoFar(problem: AttentionProblem, candidates: readonly ReadySlot[]): ReadySlot | undefined {
    if (!this.#measures(candidates)) return candidates[0];
    const measured = this.#fastest.get(lengthClassKey(problem));
    return measured instanceof Promise ? undefined : measured;
  }

  #whyNotChosen(chosen: Slot | undefined): SupportReason {
    if (chosen === undefined) {
      return {
        code: "not-measured",
        message: "could run it; the first call measures which backend is fastest",
      };
    }
    if (this.#options.select === "fastest") {
      return {
        code: "slower",
        message: `could run it, but ${chosen.name} was measured to be faster`,
      };
    }
    const whose = this.#options.select === "order" ? "" : " in the recommendation";
    return {
      code: "lower-priority",
      message: `could run it, but comes after ${chosen.name}${whose}`,
    };
  }

  async #findFastest(
    problem: AttentionProblem,
    inputs: AttentionInputs,
    candidates: readonly ReadySlot[],
  ): Promise<ReadySlot> {
    const key = lengthClassKey(problem);
    const known = this.#fastest.get(key);
    if (known) return known;
    const measuring = fastestOf(
      candidates,
      (slot, use) => this.#withPlan(slot, problem, use),
      inputs,
    );
    this.#fastest.set(key, measuring);
    if (this.#fastest.size > measurementsKept) {
      this.#fastest.delete(this.#fastest.keys().next().value as string);
    }
    try {
      const fastest = await measuring;
      if (this.#fastest.has(key)) this.#fastest.set(key, fastest);
      return fastest;
    } catch (error) {
      this.#fastest.delete(key);
      throw error;
    }
  }
}

function isReady(slot: Slot): slot is ReadySlot {
  return slot.backend !== null;
}

function statusOf(slot: Slot): BackendStatus {
  const { name, backend, reasons } = slot;
  if (backend) return { name, status: "ready", info: backend.info };
  const message = reasons.map((reason) => reason.message).join("; ");
  const hint = reasons.find((reason) => reason.hint !== undefined)?.hint;
  return { name, status: "unavailable", reason: message, ...(hint !== undefined && { hint }) };
}

function reasonsOf({ refusals }: Choice): BackendReasons[] {
  return [...refusals].map(([slot, reasons]) => ({ backend: slot.name, reasons }));
}

/** The backend whose memory a call's tensors are in; `null` if all are host tensors. */
function owner(inputs: AttentionInputs): string | null {
  let backend: string | null = null;
  for (const name of ["query", "key", "value", "mask", "bias"] as const) {
    const t = inputs[name];
    if (t === undefined || !isDeviceTensor(t)) continue;
    backend ??= t.backend;
    if (t.backend !== backend) {
      throw new InvalidInputError(
        name,
        `a host tensor or one of backend ${backend}, as the other inputs`,
        `a tensor of backend ${t.backend}`,
      );
    }
  }
  return backend;
}
