import { type AttentionPlan, describeProblem } from "@heed/core";
import { passes } from "../../../judge/verdict.js";
import type { ProgramCase } from "../../../run/case.js";
import { buildInputs } from "../build/inputs.js";
import { judge } from "../judge/judge.js";
import type { CaseSpec } from "../spec.js";
import { acceptedCalls, planOf, runOnce } from "./context.js";
import { variations } from "./variations.js";

/** Largest tile whose neighbouring lengths are tried: cases of extreme sizes cover the longer ones. */
const largestTile = 600;

/** Requirements on `supports` and on plans' descriptions, and on lengths around the tiles they declare. */
export const declaredBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/plan-description",
    profile: "behaviour",
    statement: "A plan says its kernel, its tiles, the bytes it needs and how often it launches.",
    run: async ({ backend, arithmetic }) => {
      const failures = new Set<string>();
      for (const { inputs } of acceptedCalls(backend, variations, arithmetic).slice(0, 6)) {
        const plan = await planOf(backend, inputs);
        for (const wrong of describeWrongly(plan)) failures.add(wrong);
        plan.dispose();
      }
      return { failures: [...failures] };
    },
  },
  {
    id: "behaviour/supports-is-pure",
    profile: "behaviour",
    statement: "supports() decides the same each time, whatever was planned or run before.",
    run: async ({ backend, arithmetic }) => {
      const answers = (): string[] =>
        Object.entries(variations).map(([name, spec]) => {
          const support = backend.supports(describeProblem(buildInputs(spec, name, arithmetic)));
          // Notes may say what calls have measured meanwhile.
          return JSON.stringify([name, support.ok ? { ok: true } : support]);
        });
      const before = answers();
      for (const { inputs } of acceptedCalls(backend, variations, arithmetic).slice(0, 3)) {
        await runOnce(backend, inputs);
      }
      const after = answers();
      return {
        failures: before
          .filter((answer, i) => answer !== after[i])
          .map((answer) => `changed its mind about ${answer}`),
      };
    },
  },
  {
    id: "behaviour/lengths-around-tiles",
    profile: "behaviour",
    statement: "Lengths of n − 1, n, n + 1 and 2n + 1 for each tile size n that plans report.",
    run: async ({ backend, arithmetic }) => {
      const failures: string[] = [];
      for (const spec of tileSpecs(await tileSizes(backend, arithmetic))) {
        const name = `${spec.queryLength} queries, ${spec.keyLength} keys${spec.causal ? ", causal" : ""}`;
        const [call] = acceptedCalls(backend, { [name]: spec }, arithmetic);
        if (call === undefined) continue;
        const verdict = judge(
          call.inputs,
          await runOnce(backend, call.inputs),
          undefined,
          arithmetic,
        );
        if (!passes(verdict)) {
          const { worst, budgets } = verdict;
          failures.push(
            `${name}: ${worst?.output}[${worst?.index}] is ${worst?.got} instead of ${worst?.expected}, ${budgets.toPrecision(3)} budgets`,
          );
        }
      }
      return { failures };
    },
  },
];

function* describeWrongly({ description: d }: AttentionPlan): Generator<string> {
  const size = (n: unknown): boolean => Number.isInteger(n) && (n as number) > 0;
  if (typeof d.kernel !== "string" || d.kernel === "") yield `kernel is ${String(d.kernel)}`;
  for (const [name, tile] of Object.entries(d.tiles)) {
    if (!size(tile)) yield `tile ${name} is ${tile}`;
  }
  const { workspaceBytes, dispatches } = d;
  if (!Number.isFinite(workspaceBytes) || workspaceBytes < 0) {
    yield `workspaceBytes is ${workspaceBytes}`;
  }
  if (!size(dispatches)) yield `dispatches is ${dispatches}`;
}

const shape = { queryHeads: 1, headDim: 16, returns: { logSumExp: true } } as const;

/** The tile sizes that a backend's plans for long and short calls report. */
async function tileSizes(
  backend: Parameters<typeof acceptedCalls>[0],
  arithmetic: Parameters<typeof acceptedCalls>[2],
): Promise<number[]> {
  const sizes = new Set<number>();
  const specs: Record<string, CaseSpec> = {
    prefill: { ...shape, queryLength: 700, causal: true },
    decode: { ...shape, queryLength: 1, keyLength: 2000 },
    chunk: { ...shape, queryLength: 16, keyLength: 600 },
  };
  for (const { inputs } of acceptedCalls(backend, specs, arithmetic)) {
    const plan = await planOf(backend, inputs);
    for (const tile of Object.values(plan.description.tiles)) sizes.add(tile);
    plan.dispose();
  }
  return [...sizes].filter((n) => n > 1 && n <= largestTile).sort((a, b) => a - b);
}

function* tileSpecs(sizes: readonly number[]): Generator<CaseSpec> {
  const lengths = new Set(sizes.flatMap((n) => [n - 1, n, n + 1, 2 * n + 1]));
  for (const length of lengths) {
    yield { ...shape, queryLength: length, keyLength: 35 };
    yield { ...shape, queryLength: 3, keyLength: length };
    yield { ...shape, queryLength: 1, keyLength: length, queryHeads: 2, kvHeads: 1 };
    yield { ...shape, queryLength: length, keyLength: length, causal: true };
  }
}
