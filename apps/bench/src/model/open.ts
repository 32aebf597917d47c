import { js } from "@heed/backend-js";
import {
  type Attention,
  type AttentionInputs,
  attentionWork,
  createAttention,
  describeProblem,
  type HostTensor,
  InvalidInputError,
  reference,
} from "@heed/core";
import {
  type RunResult,
  type Site,
  type SiteResult,
  type SplicedModel,
  splice,
} from "@heed/splice";
import { parseSizes, randomFeeds, readNpz } from "@heed/splice/feeds";
import type { Contender } from "../contenders/contender.js";
import { attention as attentionOperation } from "../operations/attention/operation.js";
import {
  type ModelInputs,
  type ModelTensors,
  model as modelOperation,
} from "../operations/model/operation.js";
import type { AttentionWorkload, Workload } from "../workloads/workload.js";
import { type ModelRequest, sizesOf } from "./request.js";
import { openRuntime } from "./runtime.js";
import { type OwnSite, runtimeContender } from "./runtime-contender.js";

/** A model that is ready to be measured. */
export interface OpenedModel {
  /** Each attention with the tensors that it is given in the model, then the whole model. */
  readonly workloads: readonly Workload[];
  /** The runtime, which runs the model's own nodes. */
  readonly contender: Contender;
  /** Attention that stays with the runtime, and why: a sentence each. */
  readonly left: readonly string[];
  dispose(): Promise<void>;
}

export interface OpenOptions {
  /** Threads of the runtime. */
  readonly threads: number;
  /** Reads a file by its path or address. */
  read(file: string): Promise<Uint8Array>;
  /** Reads weights that are outside of the model, by the path that it says. */
  readonly externalData?: ((path: string) => Promise<Uint8Array>) | undefined;
}

/** Operations of all sites up to which the model is judged with its sites in float64; about ten seconds. */
const mostFlops = 1e9;

/**
 * Runs a model once, and keeps the tensors of its attention.
 *
 * @throws SpliceError for a file that is no model with attention
 * @throws InvalidInputError for feeds that do not fit
 * @throws BackendUnavailableError, OnnxRuntimeError
 */
export async function openModel(request: ModelRequest, options: OpenOptions): Promise<OpenedModel> {
  const bytes = await options.read(request.file);
  const opened = await openRuntime(options.threads);
  const cut = (attention: Attention): Promise<SplicedModel> =>
    splice(bytes, {
      attention,
      runtime: opened.runtime,
      sessionOptions: opened.sessionOptions,
      externalData: options.externalData,
    });
  const attention = await createAttention({ backends: [js()] });
  let model: SplicedModel | null = null;
  try {
    model = await cut(attention);
    const spliced = model;
    const feeds = await feedsOf(spliced, request, options);
    const result = await spliced.run(feeds as never, { inputs: true });
    const sites = capturedSites(spliced, result, request);
    const flops = sites.reduce((sum, { workload }) => sum + workload.flops, 0);
    const inputs: ModelInputs = {
      name: request.name,
      feeds,
      own: await spliced.runUnspliced(feeds as never),
      exact: flops <= mostFlops ? await runExactly(cut, feeds) : result.outputs,
      sites: sites.length,
      splice: cut,
    };
    const own = new Map(sites.map(({ inputs: call, site }): [object, OwnSite] => [call, site]));
    return {
      workloads: [...sites.map(({ workload }) => workload), wholeModel(inputs, flops, request)],
      contender: runtimeContender(opened, {
        site: (call) => own.get(call) ?? null,
        runModel: () => spliced.runUnspliced(feeds as never),
      }),
      left: leftOf(spliced, result),
      dispose: async () => {
        await spliced.dispose();
        await attention.dispose();
      },
    };
  } catch (error) {
    await model?.dispose();
    await attention.dispose();
    throw error;
  }
}

async function feedsOf(
  model: SplicedModel,
  request: ModelRequest,
  { read }: OpenOptions,
): Promise<ModelTensors> {
  if (request.feeds === null) return randomFeeds(model.inputs, parseSizes(sizesOf(request)));
  if (request.random !== null)
    throw new InvalidInputError("random", "nothing beside feeds", "both");
  return readNpz(await read(request.feeds));
}

/** The model with its sites in float64. */
async function runExactly(
  cut: (attention: Attention) => Promise<SplicedModel>,
  feeds: ModelTensors,
): Promise<ModelTensors> {
  const attention = await createAttention({ backends: [reference()] });
  const model = await cut(attention);
  try {
    return (await model.run(feeds as never)).outputs;
  } finally {
    await model.dispose();
    await attention.dispose();
  }
}

interface CapturedSite {
  readonly workload: Workload;
  readonly inputs: AttentionInputs<HostTensor>;
  readonly site: OwnSite;
}

function capturedSites(
  model: SplicedModel,
  { sites }: RunResult,
  request: ModelRequest,
): CapturedSite[] {
  return model.sites.flatMap((site) => {
    const run = sites.get(site.name);
    if (!run?.inputs || !run.feeds || !run.arrange) return [];
    // An operator may return its scores; the benchmark measures the output.
    const { returns, ...inputs } = run.inputs;
    return [
      {
        inputs,
        workload: siteWorkload(site, inputs, request) as Workload,
        site: {
          ...model.subgraph(site.name, { weights: false }),
          feeds: run.feeds as OwnSite["feeds"],
          arrange: run.arrange,
        },
      },
    ];
  });
}

function siteWorkload(
  site: Site,
  inputs: AttentionInputs<HostTensor>,
  { name }: ModelRequest,
): AttentionWorkload {
  return {
    id: site.name,
    title: [site.operator, ...site.spelling].join("; "),
    source: `attention of ${name}, with its tensors`,
    suite: "model",
    operation: attentionOperation,
    flops: attentionWork(describeProblem(inputs), inputs).flops,
    load: async () => inputs,
  };
}

function wholeModel(inputs: ModelInputs, flops: number, { name }: ModelRequest): Workload {
  return {
    id: name,
    title: "the whole model: attention by the backend, everything else by onnxruntime",
    source: name,
    suite: "model",
    operation: modelOperation as Workload["operation"],
    flops,
    load: async () => inputs,
  };
}

function leftOf({ sites, notUnderstood }: SplicedModel, result: RunResult): readonly string[] {
  const refused = sites.flatMap(({ name }) => {
    const { backend, reason } = result.sites.get(name) as SiteResult;
    return backend === null ? [{ name, reason: reason ?? "" }] : [];
  });
  return [...notUnderstood, ...refused].map(
    ({ name, reason }) => `${name} is left to the runtime: ${reason}`,
  );
}
