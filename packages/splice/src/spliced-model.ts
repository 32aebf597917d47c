import type { RuntimeDType, RuntimeTensor } from "@heed/backend-onnx/runtime";
import { DisposedError, describeValue, type HostTensor, InvalidInputError } from "@heed/core";
import { readOptions } from "@heed/core/options";
import type { Cut } from "./cut/plan.js";
import type { ModelGraph } from "./graph/graph.js";
import type { Sharing } from "./run/gpu/shared.js";
import type { Places } from "./run/places.js";
import type { SiteRunner } from "./run/run-site.js";
import { RunValues } from "./run/run-values.js";
import type { LoadedPiece, PieceLoader } from "./run/sessions.js";
import type { Wanted } from "./run/site-run.js";
import { runtimeValue } from "./run/values.js";
import type { Site, SiteResult, UnsplicedNode } from "./site.js";

/** A tensor of onnxruntime's, as its sessions take and give them. */
export interface OnnxTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

export interface RunOptions {
  /** Sites whose weights are returned: all of them, or some by name. Default none. */
  readonly weights?: boolean | readonly string[] | undefined;
  /** Sites whose calls are returned: all of them, or some by name. Default none. */
  readonly inputs?: boolean | readonly string[] | undefined;
}

export interface RunResult {
  /** The model's outputs by name, as a session of onnxruntime gives them. */
  readonly outputs: Readonly<Record<string, OnnxTensor>>;
  /** By the names of {@link SplicedModel.sites}. */
  readonly sites: ReadonlyMap<string, SiteResult>;
}

/** An input of the model. */
export interface ModelInput {
  readonly name: string;
  /** Sizes; names are sizes of a call; null where the file says nothing. */
  readonly dims: readonly (number | string | null)[] | null;
  /** Number of the element type in ONNX's `TensorProto.DataType`. */
  readonly elementType: number;
  /** Rows of the table that it looks up, as the ids of tokens do; null for other inputs. */
  readonly embeddingRows: number | null;
}

/** Parts that `splice` makes. */
export interface Parts {
  readonly file: Uint8Array;
  readonly graph: ModelGraph;
  readonly cut: Cut;
  readonly loader: PieceLoader;
  readonly sharing: Sharing;
  readonly places: Places | null;
  readonly stages: readonly (LoadedPiece | null)[];
  readonly constants: ReadonlyMap<string, RuntimeTensor>;
  readonly runners: ReadonlyMap<string, SiteRunner>;
  readonly sites: readonly Site[];
  readonly notUnderstood: readonly UnsplicedNode[];
}

const runNames: ReadonlySet<keyof RunOptions> = new Set(["weights", "inputs"]);

/** A model whose attention Heed runs, and everything else onnxruntime. */
export class SplicedModel {
  /** Every attention that Heed runs, in the order of the graph. */
  readonly sites: readonly Site[];
  /** Softmaxes and operators that stay with the runtime, and why. */
  readonly notUnderstood: readonly UnsplicedNode[];
  readonly #parts: Parts;
  /** For each value, the last stage that reads it. */
  readonly #lastUse: ReadonlyMap<string, number>;
  #whole: Promise<LoadedPiece> | null = null;
  #disposed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.sites = parts.sites;
    this.notUnderstood = parts.notUnderstood;
    this.#lastUse = lastUses(parts);
  }

  /**
   * The memory of the tensors between pieces and sites: that of a backend whose GPUDevice the pieces run on as
   * well, or host memory, with the reason.
   */
  get memory():
    | { readonly on: "device"; readonly backend: string }
    | { readonly on: "host"; readonly reason: string } {
    const { sharing } = this.#parts;
    return sharing.gpu
      ? { on: "device", backend: sharing.gpu.backend }
      : { on: "host", reason: sharing.reason };
  }

  /** The inputs that a run has to be given. */
  get inputs(): readonly ModelInput[] {
    return this.#parts.graph.inputs.map(({ name, type }) => {
      const tensor = type?.value.case === "tensorType" ? type.value.value : undefined;
      const dims = tensor?.shape?.dim.map(({ value }) =>
        value.case === "dimValue"
          ? Number(value.value)
          : value.case === "dimParam"
            ? value.value
            : null,
      );
      return {
        name,
        dims: dims ?? null,
        elementType: tensor?.elemType ?? 0,
        embeddingRows: rowsLookedUp(this.#parts.graph, name),
      };
    });
  }

  /** Names of the model's outputs. */
  get outputs(): readonly string[] {
    return this.#parts.graph.outputs;
  }

  /**
   * Runs the model.
   *
   * @param feeds a tensor for each of the model's inputs: onnxruntime's, or Heed's in host memory
   * @throws InvalidInputError naming the input that is missing or unknown, or the site that is unknown
   * @throws OnnxRuntimeError where onnxruntime fails; what `attention.run` throws, except refusals: a call that
   *   no backend takes is run by the runtime, and its site says so
   */
  async run(
    feeds: Readonly<Record<string, OnnxTensor | HostTensor>>,
    options: RunOptions = {},
  ): Promise<RunResult> {
    if (this.#disposed) throw new DisposedError("model");
    const { graph, cut, stages, constants, runners, sharing, places } = this.#parts;
    const read = readOptions("options", options, runNames) as RunOptions;
    const [weights, inputs] = [
      this.#named("weights", read.weights),
      this.#named("inputs", read.inputs),
    ];
    const values = new RunValues(sharing.gpu);
    for (const [name, value] of [...constants, ...this.#feeds(feeds)]) values.give(name, value);
    const sites = new Map<string, SiteResult>();
    const kept = new Set(graph.outputs);
    try {
      for (const [stage, { sites: ready }] of cut.stages.entries()) {
        const made = await stages[stage]?.run((name) => values.get(name));
        for (const [name, tensor] of made ?? []) values.set(name, tensor);
        for (const { name } of ready) {
          const wanted: Wanted = { weights: weights.has(name), inputs: inputs.has(name) };
          const run = await (runners.get(name) as SiteRunner).run(values, wanted);
          for (const [own, tensor] of run.values) values.set(own, tensor);
          sites.set(name, run.result);
        }
        for (const name of values.names) {
          const last = this.#lastUse.get(name) ?? -1;
          if (last <= stage && !kept.has(name)) values.drop(name);
        }
      }
      const outputs: Record<string, OnnxTensor> = {};
      for (const name of graph.outputs) {
        outputs[name] = await values.take(name, places?.wanted(name) === "gpu-buffer");
      }
      return { outputs, sites };
    } finally {
      values.dropAll();
    }
  }

  /**
   * Runs the file as it is, by onnxruntime alone, for a comparison. Its session is made by the first such run, and
   * holds all weights once more.
   *
   * @throws InvalidInputError as {@link run}, OnnxRuntimeError
   */
  async runUnspliced(
    feeds: Readonly<Record<string, OnnxTensor | HostTensor>>,
  ): Promise<Readonly<Record<string, OnnxTensor>>> {
    if (this.#disposed) throw new DisposedError("model");
    const { loader, file, graph } = this.#parts;
    const values = this.#feeds(feeds);
    this.#whole ??= loader.loadWhole(file);
    const made = await (await this.#whole).run((name) => values.get(name) as RuntimeTensor);
    return Object.fromEntries(
      graph.outputs.flatMap((name) => {
        const tensor = made.get(name);
        return tensor ? [[name, tensor]] : [];
      }),
    );
  }

  /**
   * The nodes of the file that a site stands for, as a model of their own: for timing the runtime's own attention
   * beside Heed's. `SiteResult.feeds` are its feeds, and `SiteResult.arrange` brings its first output into Heed's form.
   *
   * @param options `weights: false` leaves out the weights, which are the last output otherwise; they stay where
   *   the model reads them itself
   * @throws InvalidInputError for an unknown site
   */
  subgraph(
    site: string,
    { weights = true }: { readonly weights?: boolean } = {},
  ): {
    model: Uint8Array;
    inputs: readonly string[];
    outputs: readonly string[];
  } {
    const runner = this.#parts.runners.get(site);
    if (!runner) throw unknownSite("site", site, this.sites);
    return runner.subgraph(weights);
  }

  /** Releases the sessions. Runs must have ended. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const piece of this.#parts.stages) await piece?.release();
    for (const runner of this.#parts.runners.values()) await runner.release();
    await (await this.#whole?.catch(() => null))?.release();
    this.#parts.sharing.gpu?.dispose();
  }

  #named(option: string, value: boolean | readonly string[] | undefined): ReadonlySet<string> {
    const all = this.sites.map(({ name }) => name);
    if (value === undefined || value === false) return new Set();
    if (value === true) return new Set(all);
    if (!Array.isArray(value)) {
      throw new InvalidInputError(option, "true or names of sites", describeValue(value));
    }
    for (const name of value) if (!all.includes(name)) throw unknownSite(option, name, this.sites);
    return new Set(value);
  }

  #feeds(feeds: unknown): Map<string, RuntimeTensor> {
    if (typeof feeds !== "object" || feeds === null) {
      throw new InvalidInputError("feeds", "an object of tensors", describeValue(feeds));
    }
    const { graph, loader } = this.#parts;
    const names = graph.inputs.map(({ name }) => name);
    for (const name of Object.keys(feeds)) {
      if (names.includes(name)) continue;
      throw new InvalidInputError(
        "feeds",
        `only the inputs ${names.join(", ")}`,
        describeValue(name),
      );
    }
    return new Map(
      names.map((name) => {
        const given = (feeds as Record<string, unknown>)[name];
        return [name, feedOf(loader, name, given)];
      }),
    );
  }
}

function feedOf({ runtime }: PieceLoader, name: string, given: unknown): RuntimeTensor {
  if (typeof given === "object" && given !== null) {
    const { type, dims, dtype, shape } = given as Partial<OnnxTensor & HostTensor>;
    if (dtype && shape) return runtimeValue(runtime, given as HostTensor, shape);
    if (given instanceof (runtime.Tensor as unknown as new () => object))
      return given as RuntimeTensor;
    if (type && dims) {
      return new runtime.Tensor(type as RuntimeDType, (given as OnnxTensor).data, dims);
    }
  }
  throw new InvalidInputError(`feeds.${name}`, "a tensor", describeValue(given));
}

/** Rows of the weight from which a Gather takes those that an input names. */
function rowsLookedUp(graph: ModelGraph, input: string): number | null {
  for (const node of graph.readers(input)) {
    const [table, ids] = node.inputs;
    if (node.operator === "Gather" && ids === input) {
      const rows = graph.initializers.get(table as string)?.dims[0];
      if (rows !== undefined) return Number(rows);
    }
    if (node.operator === "Cast") return rowsLookedUp(graph, node.outputs[0] as string);
  }
  return null;
}

function unknownSite(argument: string, name: unknown, sites: readonly Site[]): InvalidInputError {
  const known = sites.map((site) => JSON.stringify(site.name)).join(", ");
  return new InvalidInputError(argument, `one of the sites ${known}`, describeValue(name));
}

function lastUses({ cut, runners }: Parts): Map<string, number> {
  const last = new Map<string, number>();
  for (const [stage, { piece, sites }] of cut.stages.entries()) {
    for (const name of piece.inputs) last.set(name, stage);
    for (const { inputs, name } of sites) {
      for (const input of inputs) last.set(input, stage);
      for (const input of runners.get(name)?.reads ?? []) last.set(input, stage);
    }
  }
  return last;
}
