import {
  type AttentionProblem,
  attention,
  type BoundAttention,
  outputsOf,
  type PlanDescription,
  type SupportReason,
  UnsupportedError,
  type Verdict,
} from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import type { Context } from "../context.js";
import { denseLayouts, type Program } from "../execution/program.js";
import { noFloat64, scheduleOrThrow, tooLarge } from "../execution/refusals.js";
import { type Layouts, type Schedule, workspaceBytes } from "../execution/steps.js";
import { backendName } from "../name.js";
import { type Choice, choose, keysOfTile, type MeasuredChoices } from "./choose.js";
import { operandsOf } from "./operands.js";
import { programsBinding, programsOf, readsBuffer } from "./programs/kernel-programs.js";
import { rulesOf } from "./rules.js";
import { schedule } from "./schedule/schedule.js";
import { unbounded } from "./wgsl/rules.js";

/** A problem that is computed: with which kernels, and by which dispatches for row-major inputs. */
export interface Decision {
  readonly choice: Choice;
  readonly dense: Program["dense"];
}

/** The parts of a context that decisions depend on. */
type DecideContext = Pick<Context, "capabilities" | "preferences"> & {
  /** Choices that were measured; left out: none. */
  readonly tuning?: { readonly choices: MeasuredChoices };
};

/** Whether and how a problem is computed. Pure. */
export function decide(
  problem: AttentionProblem,
  { capabilities, preferences, tuning }: DecideContext,
): Verdict<Decision> {
  const reasons: SupportReason[] = [];
  if (problem.dtype === "float64") reasons.push(noFloat64());
  if (Math.max(problem.queryLength, problem.keyLength) >= unbounded) {
    reasons.push(tooLarge("lengths of 2^29 and more are beyond the kernels' indices"));
  }
  if (reasons.length > 0) return { reasons };
  const choice = choose(problem, capabilities, preferences, tuning?.choices);
  let decision = decisionOf(problem, choice, capabilities);
  if (decision === null && choice.measured) {
    // Measurements change which kernels compute a problem, and never whether it is computed.
    decision = decisionOf(problem, choose(problem, capabilities, preferences), capabilities);
  }
  if (decision === null) {
    const message = `a single row is more than the device binds at once, ${capabilities.limits.maxStorageBufferBindingSize} bytes`;
    return { reasons: [tooLarge(message)] };
  }
  return { decision, notes: notesOf(decision.choice) };
}

/** A choice with its dispatches; null where even the smallest part is larger than a binding. Pure. */
export function decisionOf(
  problem: AttentionProblem,
  choice: Choice,
  capabilities: Capabilities,
): Decision | null {
  const layouts = denseLayouts(attention.operands(problem));
  const made = schedule(problem, choice, operandsOf(layouts), capabilities);
  return made && { choice, dense: { layouts, schedule: made } };
}

/** Whether a measurement decided, in words. */
function notesOf({ measured }: Choice): readonly string[] {
  if (measured === null) return [];
  const { settings, gain, source } = measured;
  return [
    gain > 1
      ? `${settings.kernel} with its sizes as measured: ${gain.toFixed(2)} times as fast as the rule's choice (${source})`
      : `${settings.kernel} as the rules choose, measured to be the fastest (${source})`,
  ];
}

/** @throws UnsupportedError for tables that the device cannot bind */
function checked(
  words: (bound: BoundAttention) => Uint32Array,
  { limits }: DecideContext["capabilities"],
): (bound: BoundAttention) => Uint32Array {
  return (bound) => {
    const made = words(bound);
    if (made.byteLength <= limits.maxStorageBufferBindingSize) return made;
    const message = `tables of ${made.byteLength} bytes are more than the device binds at once`;
    throw new UnsupportedError([{ backend: backendName, reasons: [tooLarge(message)] }]);
  };
}

/** Calls whose block mask says other than their mask program. */
const withBlocks = "blocks";

const beyondBindings = "a single row, with its strides, is more than the device binds at once";

/** A problem as the device executes it. */
export function programOf(
  problem: AttentionProblem,
  { choice, dense }: Decision,
  { capabilities }: DecideContext,
): Program<BoundAttention> {
  const operands = attention.operands(problem);
  const rules = rulesOf(problem, choice);
  return {
    description: describe(choice, dense.schedule),
    reads: operands.filter(({ access }) => access === "read").map(({ name }) => name),
    writes: outputsOf(operands),
    dense,
    rulesBytes: rules.bytes,
    encode: rules.encode,
    ...(rules.words &&
      readsBuffer(programsOf(problem)) && {
        kept: { name: programsBinding, words: checked(rules.words, capabilities) },
      }),
    ...(problem.maskMod &&
      problem.blockMask && {
        variantOf: ({ blockMask }: BoundAttention) => (blockMask?.skipsProgram ? "" : withBlocks),
      }),
    schedule(layouts: Layouts, variant?: string): Schedule {
      const blocks = variant === withBlocks;
      const made = schedule(problem, choice, operandsOf(layouts), capabilities, blocks);
      return scheduleOrThrow(made, beyondBindings);
    },
  };
}

function describe(choice: Choice, dense: Schedule): PlanDescription {
  const { rows, columns, splits } = choice;
  // The kernel of the output; conversions of float16 inputs come before it.
  const named = dense.steps.find(({ kernel }) =>
    kernel.name.startsWith(`attention-${choice.kernel}`),
  );
  return {
    kernel: named?.kernel.name ?? `attention-${choice.kernel}`,
    tiles: { queries: rows, keys: keysOfTile(choice), columns },
    splits,
    workspaceBytes: workspaceBytes(dense),
    dispatches: dense.steps.length,
    ...(choice.measured && { notes: notesOf(choice) }),
  };
}
