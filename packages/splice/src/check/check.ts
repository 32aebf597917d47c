import { arithmeticOf, judge, judgeRows, sampleRows, type Verdict } from "@heed/conformance";
import {
  type Attention,
  type AttentionInputs,
  type AttentionProvider,
  createAttention,
  type HostTensor,
  reference,
} from "@heed/core";
import type { SpliceOptions } from "../options.js";
import type { Site, SiteResult } from "../site.js";
import { splice } from "../splice.js";
import type { OnnxTensor, SplicedModel } from "../spliced-model.js";
import { checkOutput, type OutputCheck } from "./outputs.js";

/** A site of a checked run. */
export interface SiteCheck {
  readonly site: Site;
  /** Null where the runtime ran it, for the reason. */
  readonly backend: string | null;
  readonly reason?: string;
  /** The call's sizes: `[batch, heads, queryLength, keyLength]`; null where Heed did not run it. */
  readonly sizes: readonly number[] | null;
  readonly causal: boolean;
  /** Error in the conformance suite's budgets, at most 1 passes; null where Heed did not run it. */
  readonly budgets: number | null;
  /** Milliseconds of Heed's call, when it ran a second time. */
  readonly milliseconds: number | null;
}

/** The result of a check on one backend. */
export interface ModelCheck {
  readonly backend: string;
  readonly sites: readonly SiteCheck[];
  readonly outputs: readonly OutputCheck[];
  /** Whether all errors are within their budgets. */
  readonly passed: boolean;
}

export interface CheckOptions extends Omit<SpliceOptions, "attention"> {
  readonly feeds: Readonly<Record<string, OnnxTensor>>;
  readonly backends: readonly AttentionProvider[];
}

/** A backend that was checked, or that is not available here. */
export type BackendCheck = ModelCheck | { readonly backend: string; readonly unavailable: string };

/** Logits of the largest call that is judged as a whole; of larger ones some rows are. */
const judgedWhole = 2 ** 22;
const rowsJudged = 64;

/**
 * Compares a spliced model with the unspliced one, on several backends: each site with the float64 reference on
 * its own tensors, and each output of the model.
 *
 * @throws what {@link splice} and runs throw
 */
export async function checkModel(
  bytes: Uint8Array,
  { feeds, backends, ...options }: CheckOptions,
): Promise<readonly BackendCheck[]> {
  const { own, exact } = await unspliced(bytes, options, feeds);
  const checks: BackendCheck[] = [];
  for (const provider of backends) {
    let attention: Attention;
    try {
      attention = await createAttention({ backends: [provider] });
    } catch (error) {
      checks.push({ backend: provider.name, unavailable: (error as Error).message });
      continue;
    }
    try {
      const model = await splice(bytes, { ...options, attention });
      try {
        checks.push(await checkOn(model, attention, provider.name, { own, exact, feeds }));
      } finally {
        await model.dispose();
      }
    } finally {
      await attention.dispose();
    }
  }
  return checks;
}

type Outputs = Readonly<Record<string, OnnxTensor>>;

async function checkOn(
  model: SplicedModel,
  attention: Attention,
  backend: string,
  {
    own,
    exact,
    feeds,
  }: { readonly own: Outputs; readonly exact: Outputs; readonly feeds: Outputs },
): Promise<ModelCheck> {
  const result = await model.run(feeds, { inputs: true });
  const sites: SiteCheck[] = [];
  for (const site of model.sites) {
    const run = result.sites.get(site.name);
    if (run) sites.push(await checkSite(site, run, attention));
  }
  const outputs = model.outputs.map((name) =>
    checkOutput(
      name,
      result.outputs[name] as OnnxTensor,
      own[name] as OnnxTensor,
      exact[name] as OnnxTensor,
    ),
  );
  const passed =
    sites.every(({ budgets }) => budgets === null || budgets <= 1) &&
    outputs.every(({ budgets }) => budgets <= 1);
  return { backend, sites, outputs, passed };
}

async function checkSite(site: Site, run: SiteResult, attention: Attention): Promise<SiteCheck> {
  const { backend, reason, inputs } = run;
  if (!inputs) {
    const none = { sizes: null, causal: false, budgets: null, milliseconds: null };
    return { site, backend, ...(reason !== undefined && { reason }), ...none };
  }
  const begin = performance.now();
  const outputs = await attention.run(inputs);
  const milliseconds = performance.now() - begin;
  const { budgets, violations } = judged(inputs, outputs, attention);
  const [batch, heads, rows] = inputs.query.shape as [number, number, number];
  const sizes = [batch, heads, rows, inputs.key.shape[2] as number];
  return {
    site,
    backend,
    sizes,
    causal: inputs.causal === true,
    budgets: violations.length > 0 ? Number.POSITIVE_INFINITY : budgets,
    milliseconds,
  };
}

function judged(
  inputs: AttentionInputs<HostTensor>,
  outputs: { readonly output: HostTensor },
  attention: Attention,
): Verdict {
  const [ready] = attention.backends;
  const arithmetic = ready?.status === "ready" ? arithmeticOf(ready.info) : undefined;
  const [batch, heads, rows] = inputs.query.shape as [number, number, number];
  const logits = batch * heads * rows * (inputs.key.shape[2] as number);
  return logits <= judgedWhole
    ? judge(inputs, outputs, undefined, arithmetic)
    : judgeRows(inputs, outputs, sampleRows(inputs, rowsJudged), arithmetic);
}

/** Outputs of the file as it is, and of the same with its sites in float64. */
async function unspliced(
  bytes: Uint8Array,
  options: Omit<SpliceOptions, "attention">,
  feeds: Outputs,
): Promise<{ readonly own: Outputs; readonly exact: Outputs }> {
  const attention = await createAttention({ backends: [reference()] });
  const model = await splice(bytes, { ...options, attention });
  try {
    return { own: await model.runUnspliced(feeds), exact: (await model.run(feeds)).outputs };
  } finally {
    await model.dispose();
  }
}
