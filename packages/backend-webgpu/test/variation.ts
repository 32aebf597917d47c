import { webgpu } from "@heed/backend-webgpu";
import { selectCases } from "@heed/conformance";
import { type CaseSelection, testBackend } from "@heed/conformance/vitest";
import { type AttentionProvider, attention } from "@heed/core";
import { differing, type Signature, scope } from "../../../test/select.js";
import { operandsOf } from "../src/attention/operands.js";
import { schedule } from "../src/attention/schedule/schedule.js";
import type { WebGpuBackend } from "../src/backend.js";
import { denseLayouts } from "../src/execution/program.js";

/** Every rule at once; without matrices, which have kernels of their own. */
export const everyRule = "masks/everything-but-returns";

/** Whether other devices are tested by more than a few cases: compiling takes a second a kernel or more. */
export const allVariations: boolean = scope === "places" || scope === "all";

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
    const steps = schedule(problem, backend.choose(problem), operands, capabilities);
    return steps?.steps.map(({ kernel }) => kernel.name).join() ?? "refused";
  };
}

/** The smallest case: its kernel takes a tenth of the time that others take to compile. */
export const smallest = "core/shape-one";

interface VariationOptions {
  /** Provider that the whole suite runs on; cases that it computes with the same kernels are skipped. */
  readonly usual?: AttentionProvider;
  /** Whether the device's limits are others than the usual device's: kernels that compile there need not here. */
  readonly otherLimits?: boolean;
}

/**
 * The suite on a provider that decides differently from the adapter's own device.
 *
 * `pnpm test` runs the cases of the first filter, or only the smallest case if all of those are computed with
 * the usual kernels under the usual limits. `HEED_TEST_SCOPE=places` runs the cases of all filters and those
 * whose kernels are not the usual ones; `HEED_TEST_SCOPE=all` runs everything.
 */
export function variation(
  title: string,
  provider: AttentionProvider,
  filters: readonly string[],
  { usual = webgpu({ allowFallbackAdapter: true }), otherLimits = false }: VariationOptions = {},
): void {
  const other = differing(kernelsOf(provider), kernelsOf(usual));
  if (allVariations) {
    const named: CaseSelection = ({ id }) => filters.some((part) => id.includes(part));
    testBackend(provider, { title, select: other && (async (c) => named(c) || other(c)) });
    return;
  }
  const cases = selectCases({ filter: filters[0] });
  const differ = async (): Promise<boolean> => {
    if (otherLimits) return true;
    for (const c of cases) if (await other?.(c)) return true;
    return false;
  };
  testBackend(provider, {
    title,
    select: async (c) => ((await differ()) ? cases.includes(c) : c.id === smallest),
  });
}
