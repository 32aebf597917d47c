import type { RuntimeTensor } from "@heed/backend-onnx/runtime";
import { declaredType, typeName } from "./cut/extract.js";
import { CircleError, type Cut, cut } from "./cut/plan.js";
import { describeSite } from "./describe.js";
import { SpliceError } from "./errors.js";
import { withBiasesApart } from "./graph/biases.js";
import { Folder } from "./graph/fold.js";
import { ModelGraph } from "./graph/graph.js";
import { readModel } from "./graph/read.js";
import { Sizes } from "./graph/sizes.js";
import { type Found, findSites } from "./match/find.js";
import type { FoundSite, NotUnderstood } from "./match/form.js";
import { headsOf } from "./match/heads.js";
import { checkOptions, type SpliceOptions } from "./options.js";
import { findSharedGpu, webgpuProvider } from "./run/gpu/shared.js";
import { Places } from "./run/places.js";
import { SiteRunner } from "./run/run-site.js";
import { findRuntime, type LoadedPiece, PieceLoader } from "./run/sessions.js";
import { SplicedModel } from "./spliced-model.js";

/**
 * Finds the attention in an ONNX model and cuts the model there: attention is run by Heed, everything else by
 * onnxruntime, and the outputs stay the model's.
 *
 * ```ts
 * const model = await splice(await readFile("model.onnx"), { attention });
 * const { outputs, sites } = await model.run(feeds, { weights: true });
 * ```
 *
 * @param bytes an ONNX file of opset 11 to 25; weights are not copied
 * @throws SpliceError for a file that cannot be spliced, with its reason
 * @throws InvalidInputError for a wrong option
 * @throws OnnxRuntimeError where onnxruntime does not take the pieces
 */
export async function splice(
  bytes: Uint8Array | ArrayBuffer,
  options: SpliceOptions,
): Promise<SplicedModel> {
  const checked = checkOptions(options);
  const graph = withBiasesApart(new ModelGraph(readModel(bytes)));
  const folder = new Folder(graph);
  const sizes = new Sizes(graph, folder);
  const { plan, sites, notUnderstood } = planOf(graph, findSites(graph, folder, sizes));
  if (sites.length === 0) throw new SpliceError("no-attention", noAttention(notUnderstood));
  const runtime = await findRuntime(checked.runtime);
  const operators = sites.some(({ form }) => form.kind === "operator");
  const sharing = await findSharedGpu(checked.attention, runtime, checked, operators);
  const { gpu } = sharing;
  const places = webgpuProvider(runtime, checked)
    ? new Places(graph, sites, {
        shared: gpu !== null,
        preferred: checked.sessionOptions?.preferredOutputLocation,
      })
    : null;
  const loader = new PieceLoader(graph, runtime, { ...checked, gpu, places });
  for (const { name, type } of graph.inputs) loader.setType(name, declaredType(type));
  const stages: (LoadedPiece | null)[] = [];
  try {
    const constants = await loader.keepingFiles(async () => {
      for (const { piece, sites: ready } of plan.stages) {
        stages.push(piece.outputs.length > 0 ? await loader.load(piece) : null);
        for (const site of ready) setTypes(loader, site);
      }
      return constantsOf(loader, plan);
    });
    const heads = new Map(
      sites.map((site) => [
        site.name,
        site.form.kind === "written-out" ? headsOf(graph, folder, sizes, site.form.query) : null,
      ]),
    );
    const runners = sites.map((site): [string, SiteRunner] => [
      site.name,
      new SiteRunner(graph, loader, checked.attention, site, {
        heads: heads.get(site.name) ?? null,
        weightsRead: plan.weightsRead.has(site),
        constants: new Set(constants.keys()),
        gpu,
      }),
    ]);
    const typeOf = (value: string) => loader.typeOf(value);
    return new SplicedModel({
      file: bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes),
      graph,
      cut: plan,
      loader,
      sharing,
      places,
      stages,
      constants,
      runners: new Map(runners),
      sites: sites.map((site) =>
        describeSite(site, { graph, folder, sizes, typeOf, heads: heads.get(site.name) ?? null }),
      ),
      notUnderstood,
    });
  } catch (error) {
    for (const piece of stages) await piece?.release();
    gpu?.dispose();
    throw error;
  }
}

interface Planned {
  readonly plan: Cut;
  readonly sites: readonly FoundSite[];
  readonly notUnderstood: readonly NotUnderstood[];
}

/** Leaves sites alone that would have to run before themselves. */
function planOf(graph: ModelGraph, found: Found): Planned {
  let sites = [...found.sites];
  const notUnderstood = [...found.notUnderstood];
  for (;;) {
    try {
      return { plan: cut(graph, sites), sites, notUnderstood };
    } catch (error) {
      if (!(error instanceof CircleError)) throw error;
      const { name, form } = error.site;
      sites = sites.filter((site) => site !== error.site);
      const operator = form.kind === "written-out" ? "Softmax" : form.node.operator;
      notUnderstood.push({ name, operator, reason: "its values depend on its own weights" });
    }
  }
}

function noAttention(notUnderstood: readonly NotUnderstood[]): string {
  const reasons = notUnderstood.slice(0, 5).map(({ name, reason }) => `${name}: ${reason}`);
  return `no attention was found in the model${reasons.length > 0 ? `; ${reasons.join("; ")}` : ""}`;
}

/** Element types of what a site makes: those of its values, or of the operator's first input. */
function setTypes(loader: PieceLoader, site: FoundSite): void {
  const { form } = site;
  if (form.kind === "operator") {
    const { dtype } = loader.typeOf(form.node.inputs[0] as string);
    for (const name of [site.output, ...site.further]) loader.setType(name, { dtype, dims: null });
    return;
  }
  loader.setType(site.output, { dtype: loader.typeOf(form.value.value).dtype, dims: null });
  if (site.weights) {
    const casts = form.logits.flatMap((step) => (step.kind === "cast" ? [step.to] : []));
    const cast = casts.length > 0 ? typeName(casts.at(-1) as number) : undefined;
    const dtype = cast ?? loader.typeOf(form.query.value).dtype;
    loader.setType(site.weights, { dtype, dims: null });
  }
}

async function constantsOf(
  loader: PieceLoader,
  { constants }: Cut,
): Promise<ReadonlyMap<string, RuntimeTensor>> {
  if (constants.outputs.length === 0) return new Map();
  const piece = await loader.loadOnHost(constants);
  try {
    return await piece.run(() => {
      throw new Error("constants read no inputs");
    });
  } finally {
    await piece.release();
  }
}
