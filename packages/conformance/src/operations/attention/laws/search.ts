import {
  type Attention,
  type AttentionBackend,
  type AttentionOutputs,
  describeProblem,
  type HostTensor,
  UnsupportedError,
} from "@heed/core";
import fc from "fast-check";
import { Random } from "../../../calls/random.js";
import type { CheckContext, ProgramCase, ProgramFinding } from "../../../run/case.js";
import { buildInputs } from "../build/inputs.js";
import { drawnFeatures } from "../features/index.js";
import type { CaseSpec } from "../spec.js";
import type { Law } from "./law.js";
import { problems } from "./problems.js";
import type { Call } from "./transform.js";
import { tryCalls } from "./try-calls.js";

/** The values that fast-check generates for one try of a law. */
interface Try {
  readonly spec: CaseSpec;
  /** Seed of the tensors' numbers and of the law's own choices; not shrunk. */
  readonly numbers: number;
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
  const { backend, arithmetic, seed } = context;
  if (law.isPromised && !law.isPromised(backend.info)) return { failures: [] };
  const { tries = 1 } = law;
  return tryCalls<Try>(
    { ...context, runs: tries * context.runs },
    {
      calls: fc.record({
        spec: law.problems ?? problems(law.features, law.always),
        numbers: fc.noShrink(fc.nat()),
      }),
      check: (attention, { spec, numbers }) => {
        const call = buildInputs(within(backend, spec), lawSeed(law, numbers), arithmetic);
        const run = (c: Call) => runLaw(attention, law, c);
        return law.check(call, { run, random: new Random(numbers), arithmetic });
      },
      describe: ({ spec, numbers }, shrinks, why) =>
        describeFailure(law, within(backend, spec), numbers, seed, shrinks, why),
    },
  );
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
  why: string,
): string[] {
  const pasted = JSON.stringify({ id: lawSeed(law, numbers), spec });
  return [
    why,
    `seed ${seed}; the smallest problem, after ${shrinks} steps, as a case: ${pasted}`,
    `its numbers against the reference: heed-conformance --backend … --case '${pasted}'`,
  ];
}
