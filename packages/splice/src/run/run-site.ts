import type { RuntimeTensor } from "@heed/backend-onnx/runtime";
import {
  cast,
  type HostTensor,
  InvalidInputError,
  isHeedError,
  UnsupportedError,
} from "@heed/core";
import { extract, type Piece } from "../cut/extract.js";
import type { ModelGraph } from "../graph/graph.js";
import type { FoundSite, WrittenOut } from "../match/form.js";
import type { SiteResult } from "../site.js";
import { NotThisCall, withAxes } from "./axes.js";
import { arrangedOutput, outputTensor, siteCall } from "./call.js";
import { arrangedHeads, runOperator } from "./operator.js";
import { type Recorded, type Runner, recording } from "./runner.js";
import type { LoadedPiece, PieceLoader } from "./sessions.js";
import { feedValue, hostTensor, runtimeValue } from "./values.js";

/** Results that a run wants of a site. */
export interface Wanted {
  readonly weights: boolean;
  readonly inputs: boolean;
}

/** Values that a site made, by name, and what there is to tell. */
export interface SiteRun {
  readonly values: ReadonlyMap<string, RuntimeTensor>;
  readonly result: SiteResult;
}

type ReadValue = (name: string) => RuntimeTensor;

/** Runs one site: on Heed, or where a call is not what was recognised, by the nodes of the file. */
export class SiteRunner {
  readonly site: FoundSite;
  readonly #loader: PieceLoader;
  readonly #attention: Runner;
  readonly #heads: number | null;
  /** Whether the graph reads the weights. */
  readonly #weightsRead: boolean;
  readonly #own: Piece;
  readonly #graph: ModelGraph;
  #loaded: Promise<LoadedPiece> | null = null;

  constructor(
    graph: ModelGraph,
    loader: PieceLoader,
    attention: Runner,
    site: FoundSite,
    about: { readonly heads: number | null; readonly weightsRead: boolean },
  ) {
    this.site = site;
    this.#loader = loader;
    this.#attention = attention;
    this.#heads = about.heads;
    this.#weightsRead = about.weightsRead;
    this.#graph = graph;
    this.#own = this.#extract(true);
  }

  #extract(weights: boolean): Piece {
    const { inputs, output, further, weights: name } = this.site;
    const outputs = [output, ...further, ...(weights && name ? [name] : [])];
    const given = new Set(inputs);
    const graph = this.#graph;
    return extract(graph, outputs, (value) => given.has(value) && !graph.isWeight(value));
  }

  /**
   * The nodes of the file as a model.
   *
   * @param weights whether it has the weights as an output where the graph does not read them
   */
  subgraph(weights = true): {
    model: Uint8Array;
    inputs: readonly string[];
    outputs: readonly string[];
  } {
    const piece = weights || this.#weightsRead ? this.#own : this.#extract(false);
    return { model: this.#loader.encode(piece), inputs: piece.inputs, outputs: piece.outputs };
  }

  async run(read: ReadValue, wanted: Wanted): Promise<SiteRun> {
    try {
      const run = await this.#byHeed(read, wanted);
      return wanted.inputs ? { ...run, result: { ...run.result, feeds: this.#feeds(read) } } : run;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === null) throw error;
      return this.#byRuntime(read, wanted, reason);
    }
  }

  #byHeed(read: ReadValue, wanted: Wanted): Promise<SiteRun> {
    const { form } = this.site;
    return form.kind === "written-out"
      ? this.#writtenOut(form, read, wanted)
      : this.#operator(read, wanted);
  }

  async #writtenOut(form: WrittenOut, read: ReadValue, wanted: Wanted): Promise<SiteRun> {
    const { site } = this;
    const { runtime } = this.#loader;
    const call = siteCall(form, read, this.#heads);
    const weights = wanted.weights || this.#weightsRead;
    const result = await this.#attention.run({ ...call.inputs, returns: { weights } });
    const output = outputTensor(result.output, call);
    const values = new Map([[site.output, runtimeValue(runtime, output.tensor, output.sizes)]]);
    if (this.#weightsRead && result.weights && site.weights) {
      const read = cast(result.weights, call.weightDType);
      values.set(site.weights, runtimeValue(runtime, read, call.weightSizes));
    }
    return {
      values,
      result: {
        backend: result.backend,
        ...(wanted.weights && result.weights && { weights: result.weights }),
        ...(wanted.inputs && {
          inputs: call.inputs,
          arrange: (made) => arrangedOutput(floats(made), call),
        }),
      },
    };
  }

  async #operator(read: ReadValue, wanted: Wanted): Promise<SiteRun> {
    const { form } = this.site;
    if (form.kind !== "operator") throw new Error("an operator was expected");
    const { runtime } = this.#loader;
    const recorded: Recorded = {};
    const runner = recording(this.#attention, wanted.weights, recorded);
    const outputs = await runOperator(runner, form, read);
    const values = new Map<string, RuntimeTensor>();
    for (const [at, name] of form.node.outputs.entries()) {
      const output = outputs[at];
      if (output) values.set(name, runtimeValue(runtime, output, output.shape));
      else if (name !== "") throw new NotThisCall(`Heed does not return the output ${at}`);
    }
    return {
      values,
      result: {
        backend: recorded.backend ?? null,
        ...(recorded.weights && { weights: recorded.weights }),
        ...(wanted.inputs &&
          recorded.inputs && {
            inputs: recorded.inputs,
            arrange: (made) => arrangedHeads(floats(made), recorded.inputs?.query.shape[1] ?? 1),
          }),
      },
    };
  }

  async #byRuntime(read: ReadValue, wanted: Wanted, reason: string): Promise<SiteRun> {
    for (const name of this.#own.inputs) {
      const { type, dims } = read(name);
      this.#loader.setType(name, { dtype: type, dims: dims.map(() => "") });
    }
    this.#loaded ??= this.#loader.load(this.#own);
    const values = await (await this.#loaded).run(read);
    const weights = this.site.weights && values.get(this.site.weights);
    const shown = wanted.weights && weights ? this.#asWeights(weights) : undefined;
    return {
      values,
      result: {
        backend: null,
        reason,
        ...(shown && { weights: shown }),
        ...(wanted.inputs && { feeds: this.#feeds(read) }),
      },
    };
  }

  /** `[batch, heads, queryLength, keyLength]` from whatever leading axes there are. */
  #asWeights(value: RuntimeTensor): HostTensor | undefined {
    const t = hostTensor(value);
    if (!t || t.shape.length < 2) return undefined;
    const lead = t.shape.slice(0, -2);
    const count = lead.reduce((product, size) => product * size, 1);
    const heads = lead.length >= 2 ? (lead.at(-1) as number) : (this.#heads ?? 1);
    const [rows, keys] = t.shape.slice(-2) as [number, number];
    const batch = heads === 0 ? 0 : count / heads;
    return withAxes(t, [batch, heads, rows, keys], [heads * rows * keys, rows * keys, keys, 1]);
  }

  #feeds(read: ReadValue): Readonly<Record<string, RuntimeTensor>> {
    const { runtime } = this.#loader;
    return Object.fromEntries(
      this.#own.inputs.map((name) => [name, feedValue(runtime, read(name))]),
    );
  }

  async release(): Promise<void> {
    const loaded = await this.#loaded?.catch(() => null);
    await loaded?.release();
  }
}

function floats(made: Parameters<NonNullable<SiteResult["arrange"]>>[0]): HostTensor {
  const t = hostTensor(made as RuntimeTensor);
  if (!t) throw new InvalidInputError("output", "a tensor of numbers that Heed has", made.type);
  return t;
}

/** Why the runtime has to run a call; null for errors that are no matter of the call. */
function reasonOf(error: unknown): string | null {
  if (error instanceof NotThisCall) return error.message;
  if (error instanceof UnsupportedError || error instanceof InvalidInputError) return error.message;
  if (isHeedError(error, "unsupported") || isHeedError(error, "invalid-input")) {
    return (error as Error).message;
  }
  return null;
}
