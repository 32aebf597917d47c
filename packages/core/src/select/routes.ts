import { attention } from "../attention/operation.js";
import type { BackendReasons, SupportReason } from "../errors.js";
import { messageOf } from "../errors.js";
import type { AnyOperation } from "../operation/operation.js";
import type { Problem } from "../operation/problem.js";
import { isList } from "../options.js";
import { type FloatDType, isFloatDType } from "../tensor/dtype.js";
import { isReady, type ReadySlot, type Slot } from "./slot.js";
import type { Strategy } from "./strategy.js";

/** Routes kept; beyond that they are worked out anew. */
const routesKept = 1024;

/** Everything about a problem that does not change from call to call. */
export interface Route {
  /** Every slot, in the order of preference for the problem. */
  readonly order: readonly Slot[];
  /** Slots that may run the problem, in order of preference. */
  readonly candidates: readonly ReadySlot[];
  /** Slots that may not, in order of preference, with their reasons. */
  readonly refusals: ReadonlyMap<Slot, readonly SupportReason[]>;
  /** Slots that were not tried yet, in order of preference. */
  readonly waiting: readonly Slot[];
  /** The one of them that is to be tried before a call runs; null if a candidate may run it. */
  readonly next: Slot | null;
  /** The plan cache's key for each candidate. */
  readonly planKeys: readonly string[];
  /** Whether listeners and the console were told of the first call. */
  told: boolean;
}

/** The routes of problems through an attention's slots, each worked out once. */
export class Routes {
  readonly #slots: readonly Slot[];
  readonly #strategy: Strategy | null;
  /** Operations by name, of the problems that were routed. */
  readonly #operations = new Map<string, AnyOperation>([[attention.name, attention]]);
  /** By the backend whose memory the inputs are in, or null, and by problem: core interns problems. */
  readonly #routes = new Map<string | null, Map<Problem, Route>>();

  /** @param strategy null: slots are in the order of preference */
  constructor(slots: readonly Slot[], strategy: Strategy | null) {
    this.#slots = slots;
    this.#strategy = strategy;
  }

  /** Forgets all routes, after a slot came or went. */
  clear(): void {
    this.#routes.clear();
  }

  /** The floating-point dtypes among the tensors of a problem, each once; none of an unknown operation. */
  floatDTypes(problem: Problem): readonly FloatDType[] {
    const operands = this.#operations.get(problem.operation)?.operands(problem) ?? [];
    return [...new Set(operands.map(({ dtype }) => dtype).filter(isFloatDType))];
  }

  /** Two backends may share a name (two GPUs): the slot's place tells them apart. */
  planKey(slot: Slot, problem: Problem): string {
    return `${this.planPrefix(slot)}${slot.generation} ${problem.operation} ${problem.key}`;
  }

  planPrefix(slot: Slot): string {
    return `${this.#slots.indexOf(slot)} `;
  }

  /**
   * @param device the backend whose memory the inputs are in, if any: no other may run them
   * @param operation the problem's; left out if the problem alone is known
   */
  find(problem: Problem, device: string | null, operation?: AnyOperation): Route {
    return this.#routes.get(device)?.get(problem) ?? this.#make(problem, device, operation);
  }

  #make(problem: Problem, device: string | null, operation: AnyOperation | undefined): Route {
    if (operation) this.#operations.set(operation.name, operation);
    const order = this.#strategy?.rank?.(problem, this.#slots) ?? this.#slots;
    const candidates: ReadySlot[] = [];
    const refusals = new Map<Slot, readonly SupportReason[]>();
    const waiting: Slot[] = [];
    for (const slot of order) {
      if (!isReady(slot) && slot.state !== "waiting") {
        refusals.set(slot, slot.reasons);
      } else if (device !== null && slot.name !== device) {
        const message = `the inputs are tensors of backend ${device}`;
        refusals.set(slot, [{ code: "device", message }]);
      } else if (!isReady(slot)) {
        waiting.push(slot);
      } else {
        const failure = slot.test?.failure(this.floatDTypes(problem)) ?? null;
        const reasons = failure === null ? refusalsOf(slot, problem) : [failure];
        if (reasons === null) candidates.push(slot);
        else refusals.set(slot, reasons);
      }
    }
    const planKeys = candidates.map((slot) => this.planKey(slot, problem));
    const next = this.#next(order, candidates, waiting);
    const route: Route = { order, candidates, refusals, waiting, next, planKeys, told: false };
    let routes = this.#routes.get(device);
    if (routes === undefined || routes.size >= routesKept) {
      routes = new Map();
      this.#routes.set(device, routes);
    }
    routes.set(problem, route);
    return route;
  }

  /**
   * A strategy that ranks the slots of each problem and leaves no choice means its order: a slot that another problem has
   * loaded does not take the place of one that comes before it.
   */
  #next(
    order: readonly Slot[],
    [first]: readonly ReadySlot[],
    [next]: readonly Slot[],
  ): Slot | null {
    if (next === undefined || first === undefined) return next ?? null;
    const absolute = this.#strategy?.rank !== undefined && this.#strategy.choose === undefined;
    return absolute && order.indexOf(next) < order.indexOf(first) ? next : null;
  }
}

/** Why a backend does not run a problem; null if it does. A backend that fails to say does not. */
function refusalsOf(slot: ReadySlot, problem: Problem): readonly SupportReason[] | null {
  try {
    const support = slot.backend.supports(problem);
    if (support.ok === true) return null;
    const reasons = isList(support.reasons) ? support.reasons.filter(isReason) : [];
    if (reasons.length > 0) return reasons;
    return [{ code: "backend-error", message: "refuses the problem without reasons" }];
  } catch (thrown) {
    return [{ code: "backend-error", message: `failed to say why: ${messageOf(thrown)}` }];
  }
}

function isReason(value: unknown): value is SupportReason {
  if (typeof value !== "object" || value === null) return false;
  const { code, message } = value as Partial<SupportReason>;
  return typeof code === "string" && typeof message === "string";
}

/** The refusals of a route, for an error. */
export function reasonsOf({ refusals }: Route): BackendReasons[] {
  return [...refusals].map(([slot, reasons]) => ({ backend: slot.name, reasons }));
}
