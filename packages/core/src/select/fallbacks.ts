import { type BackendReasons, formatReasons, UnsupportedError } from "../errors.js";
import type { Problem } from "../operation/problem.js";
import type { Listeners } from "./events.js";
import type { Route } from "./routes.js";
import type { Slot } from "./slot.js";
import type { Warnings } from "./warnings.js";

/** Tells listeners and the console of a backend that runs calls in place of another one. */
export class Fallbacks {
  readonly #reaction: "warn" | "error" | "silent";
  readonly #listeners: Listeners;
  readonly #warnings: Warnings;

  /** @param reaction see `AttentionOptions.fallback` */
  constructor(reaction: "warn" | "error" | "silent", listeners: Listeners, warnings: Warnings) {
    this.#reaction = reaction;
    this.#listeners = listeners;
    this.#warnings = warnings;
  }

  /** Whether a later backend may run a call that an earlier one refused. */
  get allowed(): boolean {
    return this.#reaction !== "error";
  }

  /**
   * Tells, at a problem's first call on a route, which backends come before the one that runs it: a later
   * backend may not replace an earlier one without notice.
   *
   * @throws UnsupportedError where `fallback: "error"` excludes that
   */
  passOver(problem: Problem, preferred: Slot, { order, refusals }: Route): void {
    const passedOver = order
      .slice(0, order.indexOf(preferred))
      .map((slot) => ({ backend: slot.name, reasons: refusals.get(slot) ?? [] }))
      // That data stays on its device is what the caller asked for, not a fallback.
      .filter(({ reasons }) => reasons.some(({ code }) => code !== "device"));
    if (passedOver.length === 0) return;
    if (this.#reaction === "error") throw new UnsupportedError(passedOver);
    const to = preferred.name;
    for (const { backend, reasons } of passedOver) {
      this.#listeners.tell("fallback", { problem, from: backend, to, reasons });
    }
    this.#warn(to, passedOver, `${to} runs instead of a backend that comes before it`);
  }

  /** Tells of a call that one backend failed and another one ran. */
  afterFailure(problem: Problem, failed: BackendReasons, to: string): void {
    const { backend: from, reasons } = failed;
    this.#listeners.tell("fallback", { problem, from, to, reasons });
    this.#warn(to, [failed], `${to} ran a call that another backend failed or refused`);
  }

  #warn(to: string, reasons: readonly BackendReasons[], message: string): void {
    if (this.#reaction !== "warn") return;
    // Reasons may contain lengths, which grow with each call of a decode loop: codes say what is new.
    const codes = reasons.map(({ backend, reasons }) => [backend, reasons.map((r) => r.code)]);
    const kind = JSON.stringify([to, codes]);
    this.#warnings.warn(kind, `heed: ${message}\n${formatReasons(reasons)}`);
  }
}
