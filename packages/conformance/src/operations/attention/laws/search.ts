import {
  type Attention,
  type AttentionBackend,
  type AttentionOutputs,
  createAttention,
  describeProblem,
  type HostTensor,
  type SupportReason,
  UnsupportedError,
} from "@heed/core";
import fc from "fast-check";
import { Random } from "../../../calls/random.js";
import { borrow } from "../../../run/borrow.js";
import type { CheckContext, ProgramCase, ProgramFinding } from "../../../run/case.js";
import { buildInputs } from "../build/inputs.js";
import { drawnFeatures } from "../features/index.js";
import type { CaseSpec } from "../spec.js";
import type { Law } from "./law.js";
import { problems } from "./problems.js";
import type { Call } from "./transform.js";

/** The values that fast-check generates for one try of a law. */
interface Try {
  readonly spec: CaseSpec;
  /** Seed of the tensors' numbers and of the law's own choices; not shrunk. */
  readonly numbers: number;
}

/**
 * Time limit in ms for trying a law and shrinking a failure; the smallest failure found by then is
 * reported. An ordinary run's problems take seconds, and a test's own limit is a minute; an exhaustive
 * run may take longer.
 */
function milliseconds(runs: number): number {
  return Math.max(25_000, 300 * runs);
}

/**
 * A law as a case: it is tried on random problems, and a failure shrunk to a small one.
 *
 * @param profile of the case; default that of laws on what every backend has
 */
export function lawCase(law: Law, profile: "laws" | "serving" | "programs" = "laws"): ProgramCase {
  return {
    id: profile === "laws" ? `laws/${law.name}` : `${profile}/law-${law.name}`,
    profile,
    statement: law.statement,
    run: (context) => search(law, context),
  };
}

async function search(law: Law, context: CheckContext): Promise<ProgramFinding> {
  const { backend, arithmetic, runs, seed } = context;
  if (law.isPromised && !law.isPromised(backend.info)) return { failures: [] };
  const attention = await createAttention({
    backends: [{ name: backend.name, load: async () => borrow(backend) }],
    selfTest: false,
    fallback: "silent",
  });
  const refusals = new Map<string, SupportReason>();
  let accepted = 0;
  const broken = async ({ spec, numbers }: Try): Promise<string | null> => {
    const call = buildInputs(within(backend, spec), lawSeed(law, numbers), arithmetic);
    try {
      const random = new Random(numbers);
      const run = (c: Call) => runLaw(attention, law, c);
      const found = await law.check(call, { run, random, arithmetic });
      accepted += 1;
      return found;
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      for (const reason of error.backends.flatMap(({ reasons }) => reasons)) {
        refusals.set(reason.code, reason);
      }
      return null;
    }
  };
  const tries = fc.record({
    spec: problems(law.features, law.always),
    numbers: fc.noShrink(fc.nat()),
  });
  try {
    const found = await fc.check(
      fc.asyncProperty(tries, async (one) => {
        const sentence = await broken(one);
        if (sentence !== null) throw new Error(sentence);
      }),
      { numRuns: runs, seed, interruptAfterTimeLimit: milliseconds(runs) },
    );
    if (found.failed && found.counterexample) {
      const { spec, numbers } = found.counterexample[0];
      const why = found.errorInstance;
      const small = within(backend, spec);
      return { failures: describeFailure(law, small, numbers, seed, found.numShrinks, why) };
    }
    const reasons = [...refusals.values()];
    return accepted === 0 && reasons.length > 0 ? { failures: [], reasons } : { failures: [] };
  } finally {
    await attention.dispose();
  }
}

/**
 * A problem that a backend of few features accepts, if leaving out those that are refused most often
 * makes it one: otherwise almost none of the random problems would be tried on it.
 */
function within(backend: AttentionBackend, spec: CaseSpec): CaseSpec {
  const accepted = (s: CaseSpec): boolean => {
    const inputs = buildInputs({ ...s, returns: { weights: s.returns?.weights } }, "shape");
    return backend.supports(describeProblem(inputs)).ok;
  };
  if (accepted(spec)) return spec;
  const { dtype: _d, valueDim: _v, ...few } = withoutRare(spec, 2);
  if (accepted(few)) return few;
  const fewer = withoutRare(few, 1);
  return accepted(fewer) ? fewer : spec;
}

/** The spec without the features of a rarity. */
function withoutRare(spec: CaseSpec, rarity: number): CaseSpec {
  const rare: readonly string[] = drawnFeatures
    .filter((feature) => feature.rarity === rarity)
    .map(({ field }) => field);
  const kept = Object.entries(spec).filter(([field]) => !rare.includes(field));
  return Object.fromEntries(kept) as unknown as CaseSpec;
}

/** Runs a call of a law; without log-sum-exp where the backend has none and the law can do without. */
async function runLaw(
  attention: Attention,
  law: Law,
  call: Call,
): Promise<AttentionOutputs<HostTensor>> {
  try {
    const { backend: _, ...outputs } = await attention.run(call);
    return outputs;
  } catch (error) {
    const plain = { ...call, returns: { ...call.returns, logSumExp: false } };
    if (!(error instanceof UnsupportedError) || law.needsLogSumExp || !call.returns?.logSumExp) {
      throw error;
    }
    const { backend: _, ...outputs } = await attention.run(plain);
    return outputs;
  }
}

/** The id of a case with the same numbers. */
function lawSeed(law: Law, numbers: number): string {
  return `laws/${law.name}-${numbers}`;
}

function describeFailure(
  law: Law,
  spec: CaseSpec,
  numbers: number,
  seed: number,
  shrinks: number,
  error: unknown,
): string[] {
  const pasted = JSON.stringify({ id: lawSeed(law, numbers), spec });
  return [
    error instanceof Error ? error.message : String(error),
    `seed ${seed}; the smallest problem, after ${shrinks} steps, as a case: ${pasted}`,
    `its numbers against the reference: heed-conformance --backend … --case '${pasted}'`,
  ];
}
