import { webgpu } from "@heed/backend-webgpu";
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
  let loading: Promise<WebGpuBackend> | undefined;
  const load = async (): Promise<WebGpuBackend> => {
    const backend = (await provider.load()) as WebGpuBackend;
    // Only the choice of kernels is needed, and a disposed backend still makes it.
    backend.dispose();
    return backend;
  };
  return async (problem) => {
    if (problem.dtype === "float64") return "refused";
    loading ??= load();
    const backend = await loading;
    const { capabilities } = backend;
    const operands = operandsOf(denseLayouts(attention.operands(problem)));
    const steps = schedule(problem, backend.choose(problem), operands, capabilities);
    return steps?.steps.map(({ kernel }) => kernel.name).join() ?? "refused";
  };
}

/** Cases to run beside the filtered ones in the wider test scopes. */
interface Wider {
  /** Cases whose id contains this. Default all. */
  readonly filter?: string;
  /** Provider that the whole suite runs on; cases that it computes with the same kernels are skipped. */
  readonly usual?: AttentionProvider;
}

/**
 * The suite on a provider that decides differently from the adapter's own device.
 *
 * `pnpm test` runs the cases of the first filter; without `usual`, of all. `HEED_TEST_SCOPE=places` runs those of all filters and the
 * wider selection; `HEED_TEST_SCOPE=all` adds cases that differ in nothing.
 */
export function variation(
  title: string,
  provider: AttentionProvider,
  filters: readonly string[],
  { filter, usual }: Wider = { usual: webgpu({ allowFallbackAdapter: true }) },
): void {
  if (!allVariations) {
    for (const filter of usual ? filters.slice(0, 1) : filters) {
      testBackend(provider, { title: `${title}, ${filter}`, filter });
    }
    return;
  }
  const named: CaseSelection = ({ id }) => filters.some((part) => id.includes(part));
  const other = usual && differing(kernelsOf(provider), kernelsOf(usual));
  const select: CaseSelection | undefined = other && (async (c) => named(c) || other(c));
  testBackend(provider, { title, filter, select });
}
