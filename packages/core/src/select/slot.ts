import type { SupportReason } from "../errors.js";
import type { AttentionBackend, Backend } from "../operation/backend.js";
import type { BackendStatus } from "./attention.js";
import type { SelfTest } from "./self-test.js";

/** A backend that was asked for: loaded, or the reasons why not. */
export interface Slot {
  readonly name: string;
  readonly backend: Backend | null;
  readonly reasons: readonly SupportReason[];
  /** The value that loading or testing threw; left out where nothing was thrown. */
  readonly cause?: unknown;
}

/** A slot whose backend is loaded. */
export interface ReadySlot extends Slot {
  readonly backend: Backend;
  /** Tests of the dtypes that calls have; null if the backend is not to be tested. */
  readonly selfTest: SelfTest | null;
}

export function isReady(slot: Slot): slot is ReadySlot {
  return slot.backend !== null;
}

/** A backend that was written for attention alone is asked about nothing else by its author. */
export function readySlot(
  name: string,
  backend: AttentionBackend,
  selfTest: SelfTest | null,
): ReadySlot {
  return { name, backend: backend as Backend, reasons: [], selfTest };
}

/** A slot as callers see it. */
export function statusOf(slot: Slot): BackendStatus {
  const { name, backend, reasons } = slot;
  if (backend) return { name, status: "ready", info: backend.info };
  const message = reasons.map((reason) => reason.message).join("; ");
  const hint = reasons.find((reason) => reason.hint !== undefined)?.hint;
  return {
    name,
    status: "unavailable",
    reason: message,
    ...(hint !== undefined && { hint }),
    ...("cause" in slot && { cause: slot.cause }),
  };
}
