import { webgpu } from "@heed/backend-webgpu";
import { selectCases } from "@heed/conformance";
import { type CaseSelection, testBackend } from "@heed/conformance/vitest";
import { type AttentionProvider, attention } from "@heed/core";
import { differing, problemOf, type Signature, scope } from "../../../test/select.js";
import { operandsOf } from "../src/attention/operands.js";
import { schedule } from "../src/attention/schedule/schedule.js";
import type { WebGpuBackend } from "../src/backend.js";
import { denseLayouts } from "../src/execution/program.js";
import type { Kernel } from "../src/wgsl/kernel.js";

/** Cases that have kernels of their own, each: conformance-programs.places.node.test.ts has them. */
export const withoutProgramCases = (select: CaseSelection | undefined): CaseSelection => {
  return async (c) =>
    !("profile" in c && c.profile === "programs" && !someProgramCases.has(c.id)) &&
    (select === undefined || (await select(c)));
};
/** A few of those, which share kernels. */
const someProgramCases: ReadonlySet<string> = new Set(
  [
    "mask-documents",
    "mask-documents-blocks",
    "mask-poison",
    "score-hides-poison",
    "score-capped",
    "blocks-data-beside-program",
    "blocks-data-poison",
    "ragged-programs",
    "pages-programs",
    "positions-programs",
  ].map((name) => `programs/${name}`),
);

/** Every rule at once; without matrices, which have kernels of their own. */
export const everyRule = "masks/everything-but-returns";

/** Whether other devices are tested by more than a few cases: compiling takes a second a kernel or more. */
export const allVariations: boolean = scope === "places" || scope === "all";

/** A kernel's name without what tells its programs from others. */
const withoutPrograms = ({ name }: Kernel): string =>
  name.replaceAll(/-(mask|score)-[0-9a-f]{16}/g, "-$1");

/** Names the kernels that a provider's device computes a problem with, one for each dispatch. */
export function kernelsOf(provider: AttentionProvider): Signature {
  let loading: Promise<WebGpuBackend | null> | undefined;
  const load = async (): Promise<WebGpuBackend | null> => {
    const backend = (await provider.load().catch(() => null)) as WebGpuBackend | null;
    // Whether it may be unavailable, `testBackend` says.
    if (backend === null) return null;
    // Only the choice of kernels is needed, and a disposed backend still makes it.
    backend.dispose();
    return backend;
  };
  return async (problem) => {
    if (problem.dtype === "float64") return "refused";
    loading ??= load();
    const backend = await loading;
    if (backend === null) return "unavailable";
    const { capabilities } = backend;
    const operands = operandsOf(denseLayouts(attention.operands(problem)));
    const made = schedule(problem, backend.choose(problem), operands, capabilities);
    return made === null
      ? "refused"
      : made.steps.map(({ kernel }) => withoutPrograms(kernel)).join();
  };
}

/** The smallest case: its kernel takes a tenth of the time that others take to compile. */
export const smallest = "core/shape-one";

interface VariationOptions {
  /** Provider that the whole suite runs on; cases that it computes with the same kernels are skipped. */
  readonly usual?: AttentionProvider;
  /**
   * Cases whose id contains one of these run in any case: under other limits, kernels that compile on the
   * usual device may not.
   */
  readonly always?: readonly string[];
  /** Sets of kernels that ran on the same device before: variations of one file share it. */
  readonly computed?: Set<string>;
  /**
   * Whether `HEED_TEST_SCOPE=places` runs every case whose kernels are not the usual ones, and
   * `HEED_TEST_SCOPE=all` those of programs among them. Default false.
   */
  readonly whole?: boolean;
}

/**
 * The suite on a provider that decides differently from the adapter's own device.
 *
 * `pnpm test` runs the cases with every rule, or only the smallest case if all of those are computed with the
 * usual kernels under the usual limits. `HEED_TEST_SCOPE=places` runs the cases whose kernels are not the
 * usual ones, or where variations share a device, unless `whole`, one for each of a few sets of kernels of
 * each profile. `HEED_TEST_SCOPE=all` runs all cases whose kernels are not the usual ones. Of programs, each of
 * which has kernels of its own, a few run here; conformance-programs.places.node.test.ts has the others.
 */
export function variation(
  title: string,
  provider: AttentionProvider,
  options: VariationOptions = {},
): void {
  const { usual = webgpu({ allowFallbackAdapter: true }), always } = options;
  const other = differing(kernelsOf(provider), kernelsOf(usual));
  if (allVariations) {
    const isNew = scope === "all" ? () => true : notComputed(provider, options);
    const select: CaseSelection = async (c) =>
      always?.some((part) => c.id.includes(part)) || ((await other(c)) && (await isNew(c)));
    const programs = scope === "all" && options.whole;
    testBackend(provider, { title, select: programs ? select : withoutProgramCases(select) });
    return;
  }
  const cases = selectCases({ filter: everyRule });
  const differ = async (): Promise<boolean> => {
    if (always) return true;
    for (const c of cases) if (await other(c)) return true;
    return false;
  };
  testBackend(provider, {
    title,
    select: async (c) => ((await differ()) ? cases.includes(c) : c.id === smallest),
  });
}

/** Sets of kernels of each profile that a variation tests: compiling one takes seconds on a software adapter. */
const setsOfEachProfile = 3;

/** The cases to run; adds their kernels to those that were computed. */
function notComputed(
  provider: AttentionProvider,
  { computed, whole = false }: VariationOptions,
): CaseSelection {
  if (computed === undefined) return () => true;
  const kernels = kernelsOf(provider);
  const sets = new Map<string, number>();
  return async (c) => {
    if (!("spec" in c)) return true;
    const name = `${c.profile} ${await kernels(problemOf(c))}`;
    const known = sets.get(c.profile) ?? 0;
    // Each program has kernels of its own.
    const every = whole && c.profile !== "programs";
    if (!every && (computed.has(name) || known === setsOfEachProfile)) return false;
    computed.add(name);
    sets.set(c.profile, known + 1);
    return true;
  };
}
