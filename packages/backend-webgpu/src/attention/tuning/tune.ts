import { type AttentionProblem, DeviceLostError, lengthClassKey } from "@heed/core";
import { Context } from "../../context.js";
import type { Choice } from "../choice/choice.js";
import { choiceOf, settingsOf } from "../choice/from-settings.js";
import type { Measured } from "../choice/settings.js";
import { choose, withMap } from "../choose.js";
import { shapesToTry, splitsToTry } from "./candidates.js";
import { trialCall } from "./inputs.js";
import { defaultBudget, type TuneOptions, type TuneResult } from "./options.js";
import { search } from "./search.js";
import { Trials } from "./trial.js";

/** Candidates that a GPU's driver compiles while another one runs. A software adapter computes on the same processors. */
const compiledAhead = 4;

/**
 * Measures which kernel and sizes are fastest for a problem on the context's device, and remembers it there. Nothing
 * is tried, and the rule remains, where rows are to be invariant, a kernel is forced, or the batch is ragged.
 *
 * @throws InvalidInputError (rejects) for a problem whose lists or programs are data, without `inputs`
 * @throws DeviceError (rejects) if the rule's choice fails, DeviceLostError if the device is lost
 */
export async function tune(
  problem: AttentionProblem,
  context: Context,
  options: TuneOptions = {},
): Promise<TuneResult> {
  const { budget = defaultBudget, inputs = null, without = [], onTry } = options;
  const { capabilities, preferences, tuning } = context;
  const started = performance.now();
  const rule = choose(problem, capabilities, preferences);
  const problems = lengthClassKey(problem);
  const left = new Set(without.map((settings) => JSON.stringify(settings)));
  const allowed = (choice: Choice): boolean => !left.has(JSON.stringify(settingsOf(choice)));
  const earlier = tuning.choices.get(problems) ?? null;
  const stages = isTunable(problem, context)
    ? withEarlier(problem, context, shapesToTry(problem, capabilities, rule), earlier).map(
        (stage) => stage.filter(allowed),
      )
    : [];
  const settings = settingsOf(rule);
  const unchanged = { problems, rule: settings, best: settings, gain: 1, known: false };
  if (stages.length === 0) return { ...unchanged, tried: [], ms: performance.now() - started };
  // Memory of its own: results that lie in buffers of the pool would hide that a candidate writes nothing.
  const own = new Context({ ...context.open, owned: false }, preferences, tuning);
  let call: Awaited<ReturnType<typeof trialCall>> | null = null;
  let trials: Trials | null = null;
  try {
    call = await trialCall(problem, inputs, (t) => own.memory.upload(t));
    const opened = new Trials(problem, own, call.bound);
    trials = opened;
    const {
      best,
      gain: ratio,
      known,
      tried,
    } = await search<Choice>(
      {
        rule,
        stages,
        variants: (fastest, before) =>
          splitsToTry(problem, capabilities, fastest, before).filter(allowed),
        ahead: capabilities.software ? 0 : compiledAhead,
        open: (choice) => opened.open(choice),
        isFatal: (error) => error instanceof DeviceLostError,
        onTry: (choice) => onTry?.(settingsOf(choice)),
        now: () => performance.now(),
      },
      budget,
    );
    const gain = Math.round(1000 * ratio) / 1000;
    const fastest = settingsOf(best);
    // A choice of a table or of an earlier measurement stays where this one had no time for it, and found no better.
    const same = JSON.stringify(earlier?.settings);
    const again = tried.some(
      ({ candidate, outcome }) =>
        outcome.status !== "skipped" && JSON.stringify(settingsOf(candidate)) === same,
    );
    if (known && (again || gain > (earlier?.gain ?? 0))) {
      tuning.add(problems, { settings: fastest, gain });
    }
    return {
      ...unchanged,
      best: fastest,
      gain,
      known,
      tried: tried.map(({ candidate, outcome }) => ({ settings: settingsOf(candidate), outcome })),
      ms: performance.now() - started,
    };
  } finally {
    trials?.dispose();
    for (const t of call?.tensors ?? []) t.dispose();
    own.dispose();
  }
}

/** Candidates that begin with what is known to be faster than the rule's choice, from a table or an earlier measurement. */
function withEarlier(
  problem: AttentionProblem,
  { capabilities }: Context,
  stages: readonly (readonly Choice[])[],
  earlier: Measured | null,
): Choice[][] {
  const choice =
    earlier && earlier.gain > 1 ? choiceOf(problem, capabilities, earlier.settings) : null;
  if (choice === null) return stages.map((stage) => [...stage]);
  const same = JSON.stringify(settingsOf(choice));
  const others = stages.map((stage) =>
    stage.filter((one) => JSON.stringify(settingsOf(one)) !== same),
  );
  return [[withMap(problem, choice)], ...others];
}

function isTunable(
  { ragged, batch, queryHeads, queryLength, keyLength }: AttentionProblem,
  { preferences }: Context,
): boolean {
  const { kernel, batchInvariant } = preferences;
  if (ragged !== null || batchInvariant === true || kernel !== undefined) return false;
  return batch * queryHeads * queryLength * keyLength > 0;
}
