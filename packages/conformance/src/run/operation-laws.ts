import { Random } from "../calls/random.js";
import type { Arithmetic } from "../judge/arithmetic.js";
import type { OperationName } from "../operations/names.js";
import type { OperationCase, OperationContext } from "./case.js";
import { type JudgedOperation, runCall } from "./check-call.js";
import { operationSupport } from "./operation-support.js";

/** One random call, with everything that a law needs to check it. */
export interface Trial<Spec, Call, Outputs> {
  readonly spec: Spec;
  /** The spec's call, or that of the spec with some fields replaced: all from the same numbers. */
  readonly build: (changes?: Partial<Spec>) => Call;
  /** For the law's own choices. */
  readonly random: Random;
  readonly context: OperationContext;
  /** Runs a call on the backend under test. A call that it refuses ends the trial, broken or not. */
  readonly run: (call: Call) => Promise<Outputs>;
}

/** Something that holds between calls of an operation, whatever the numbers. */
export interface OperationLaw<Spec, Call, Outputs> {
  readonly name: string;
  /** The property that holds, as a sentence. */
  readonly statement: string;
  /** @returns how the law is broken, in a sentence; or `null` */
  readonly check: (trial: Trial<Spec, Call, Outputs>) => Promise<string | null>;
}

export interface LawCases<Spec, Call extends object, Outputs extends object> {
  readonly of: JudgedOperation<Call, Outputs>;
  readonly laws: readonly OperationLaw<Spec, Call, Outputs>[];
  readonly draw: (random: Random) => Spec;
  readonly build: (spec: Spec, seed: string, arithmetic: Arithmetic) => Call;
  /** The plainest spec: a backend that refuses it refuses all laws. */
  readonly plain: Spec;
}

/** Laws of an operation as cases, each tried on random calls. */
export function lawCases<Spec, Call extends object, Outputs extends object>(
  cases: LawCases<Spec, Call, Outputs>,
): OperationCase[] {
  const operation = cases.of.operation.name as OperationName;
  return cases.laws.map((law) => ({
    id: `${operation}/law-${law.name}`,
    profile: operation,
    operation,
    check: async (context) => {
      const call = cases.build(cases.plain, law.name, context.arithmetic);
      const support = await operationSupport(context.backend, cases.of.operation.describe(call));
      if (!support.ok) return { failures: support.failures, reasons: support.reasons };
      const broken = await search(cases, law, context);
      return { failures: broken === null ? [] : [`${law.statement} Broken:`, broken] };
    },
  }));
}

/** A dtype or size that a backend refuses is no failure of a law. */
class Refused extends Error {}

async function search<Spec, Call extends object, Outputs extends object>(
  { of, draw, build }: LawCases<Spec, Call, Outputs>,
  law: OperationLaw<Spec, Call, Outputs>,
  context: OperationContext,
): Promise<string | null> {
  const random = new Random(`${law.name}-${context.seed}`);
  const run = async (call: Call): Promise<Outputs> => {
    const outputs = await runCall(of, call, context);
    if (outputs === null) throw new Refused();
    return outputs;
  };
  for (let i = 0; i < context.runs; i++) {
    const spec = draw(random);
    let last = spec;
    const trial: Trial<Spec, Call, Outputs> = {
      spec,
      build: (changes = {}) => {
        last = { ...spec, ...changes };
        return build(last, `${law.name}-${i}`, context.arithmetic);
      },
      random,
      context,
      run,
    };
    try {
      const broken = await law.check(trial);
      if (broken !== null) return `${broken}, of ${JSON.stringify(last)}`;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
  return null;
}
