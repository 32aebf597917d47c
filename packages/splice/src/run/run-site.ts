import type { RuntimeTensor } from "@heed/backend-onnx/runtime";
import {
  cast,
  type DeviceTensor,
  elementCount,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";
import { extract, type Piece } from "../cut/extract.js";
import type { ModelGraph } from "../graph/graph.js";
import type { FoundSite, WrittenOut } from "../match/form.js";
import type { SiteResult } from "../site.js";
import { type CallTensor, NotInPlace, withAxes } from "./axes.js";
import { arrangedOutput, hostOperand, outputTensor, type SiteCall, siteCall } from "./call.js";
import { BufferLayout } from "./gpu/layout.js";
import { downloaded, type SharedGpu } from "./gpu/shared.js";
import { operandsOf } from "./places.js";
import { reasonOf, reasonOnDevice } from "./reasons.js";
import { type OperatorSite, runOperatorSite } from "./run-operator.js";
import type { RunValues } from "./run-values.js";
import { hostTensorOf, type Runner } from "./runner.js";
import type { LoadedPiece, PieceLoader } from "./sessions.js";
import type { SiteRun, Wanted } from "./site-run.js";
import { feedValue, floats, hostTensor, runtimeValue } from "./values.js";

/** Runs one site: on Heed, or where a call is not what was recognised, by the nodes of the file. */
export class SiteRunner {
  readonly site: FoundSite;
  readonly #loader: PieceLoader;
  readonly #attention: Runner;
  readonly #heads: number | null;
  /** Whether the graph reads the weights. */
  readonly #weightsRead: boolean;
  /** Memory that onnxruntime and a backend share. */
  readonly #gpu: SharedGpu | null;
  /** Inputs that are read on the GPU if they are there. */
  readonly #operands: ReadonlySet<string>;
  /** Values that do not depend on the call. */
  readonly #constants: ReadonlySet<string>;
  readonly #own: Piece;
  readonly #graph: ModelGraph;
  #loaded: Promise<LoadedPiece> | null = null;

  constructor(
    graph: ModelGraph,
    loader: PieceLoader,
    attention: Runner,
    site: FoundSite,
    about: {
      readonly heads: number | null;
      readonly weightsRead: boolean;
      readonly constants: ReadonlySet<string>;
      readonly gpu: SharedGpu | null;
    },
  ) {
    this.site = site;
    this.#loader = loader;
    this.#attention = attention;
    this.#heads = about.heads;
    this.#weightsRead = about.weightsRead;
    this.#constants = about.constants;
    this.#gpu = about.gpu;
    this.#operands = new Set(operandsOf(site));
    this.#graph = graph;
    this.#own = this.#extract(true);
  }

  /** Values that the file's own nodes read. */
  get reads(): readonly string[] {
    return this.#own.inputs;
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

  async run(values: RunValues, wanted: Wanted): Promise<SiteRun> {
    try {
      const run = await this.#byHeed(values, wanted);
      if (!wanted.inputs) return run;
      return { ...run, result: { ...run.result, feeds: await this.#feeds(values) } };
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === null) throw error;
      return this.#byRuntime(values, wanted, reason);
    }
  }

  async #byHeed(values: RunValues, wanted: Wanted): Promise<SiteRun> {
    const { form } = this.site;
    if (form.kind === "operator") {
      const site: OperatorSite = {
        form,
        inputs: this.site.inputs,
        operands: this.#operands,
        constants: this.#constants,
        attention: this.#attention,
        runtime: this.#loader.runtime,
        gpu: this.#gpu,
      };
      return runOperatorSite(site, values, wanted);
    }
    await values.fetch(this.site.inputs.filter((name) => !this.#operands.has(name)));
    const onDevice = await this.#tryOnDevice(form, values, wanted);
    if (typeof onDevice === "object") return onDevice;
    await values.fetch(this.#operands);
    const run = await this.#onHost(form, values, wanted);
    return onDevice === undefined ? run : { ...run, result: { ...run.result, readBack: onDevice } };
  }

  #hostCall(form: WrittenOut, values: RunValues): SiteCall {
    const read = (name: string): RuntimeTensor => values.onHost(name);
    const operand = (name: string): HostTensor => hostOperand(read(name));
    return siteCall(form, { operand, read, masks: values.masks }, this.#heads);
  }

  async #onHost(form: WrittenOut, values: RunValues, wanted: Wanted): Promise<SiteRun> {
    const { site } = this;
    const { runtime } = this.#loader;
    const call = this.#hostCall(form, values);
    const weights = wanted.weights || this.#weightsRead;
    const result = await this.#attention.run({ ...call.inputs, returns: { weights } });
    const output = outputTensor(result.output, call);
    const made = new Map([[site.output, runtimeValue(runtime, output.tensor, output.sizes)]]);
    if (this.#weightsRead && result.weights && site.weights) {
      const own = cast(result.weights, call.weightDType);
      made.set(site.weights, runtimeValue(runtime, own, call.weightSizes));
    }
    return {
      values: made,
      result: {
        backend: result.backend,
        memory: "host",
        ...(wanted.weights && result.weights && { weights: result.weights }),
        ...(wanted.inputs && shownInputs(call)),
      },
    };
  }

  /** A run on the GPU that has the operands; else why they have to be read back, undefined where none is there. */
  async #tryOnDevice(
    form: WrittenOut,
    values: RunValues,
    wanted: Wanted,
  ): Promise<SiteRun | string | undefined> {
    const gpu = this.#gpu;
    if (!gpu) return undefined;
    const operands = new Map(
      [...this.#operands].map((name) => [name, gpu.layout(values.get(name)) ?? values.get(name)]),
    );
    if (![...operands.values()].some((one) => one instanceof BufferLayout)) return undefined;
    try {
      const operand = (name: string): CallTensor => {
        const one = operands.get(name) as RuntimeTensor | BufferLayout;
        return one instanceof BufferLayout ? one : hostOperand(one);
      };
      const read = (name: string): RuntimeTensor => values.onHost(name);
      const call = siteCall(form, { operand, read, masks: values.masks }, this.#heads);
      checkInPlace(call, this.#weightsRead);
      return await this.#onDevice(form, values, wanted, { call, gpu });
    } catch (error) {
      const reason = reasonOnDevice(error);
      if (reason === null) throw error;
      return reason;
    }
  }

  async #onDevice(
    form: WrittenOut,
    values: RunValues,
    wanted: Wanted,
    { call, gpu }: { readonly call: SiteCall<CallTensor>; readonly gpu: SharedGpu },
  ): Promise<SiteRun> {
    const { site } = this;
    const { query, key, value } = call.inputs;
    const wrapped: DeviceTensor[] = [];
    const placed = (t: CallTensor): Tensor => {
      if (!(t instanceof BufferLayout)) return t;
      const made = gpu.tensor(t);
      wrapped.push(made);
      return made;
    };
    try {
      const result = await this.#attention.run({
        ...call.inputs,
        query: placed(query),
        key: placed(key),
        value: placed(value),
        returns: { weights: wanted.weights || this.#weightsRead },
      });
      const weights =
        wanted.weights && result.weights ? await hostTensorOf(result.weights) : undefined;
      const made = new Map([[site.output, await gpu.given(result.output, call.outputSizes)]]);
      if (this.#weightsRead && result.weights && site.weights) {
        made.set(site.weights, await gpu.given(result.weights, call.weightSizes));
      } else if (result.weights && isDeviceTensor(result.weights)) result.weights.dispose();
      if (wanted.inputs) await values.fetch(this.#operands);
      return {
        values: made,
        result: {
          backend: result.backend,
          memory: "device",
          ...(weights && { weights }),
          ...(wanted.inputs && shownInputs(this.#hostCall(form, values))),
        },
      };
    } finally {
      for (const t of wrapped) t.dispose();
    }
  }

  async #byRuntime(values: RunValues, wanted: Wanted, reason: string): Promise<SiteRun> {
    for (const name of this.#own.inputs) {
      const { type, dims } = values.get(name);
      this.#loader.setType(name, { dtype: type, dims: dims.map(() => "") });
    }
    this.#loaded ??= this.#loader.load(this.#own);
    const made = await (await this.#loaded).run((name) => values.get(name));
    const weights = this.site.weights && made.get(this.site.weights);
    const shown = wanted.weights && weights ? await this.#asWeights(weights) : undefined;
    return {
      values: made,
      result: {
        backend: null,
        reason,
        memory: "host",
        ...(shown && { weights: shown }),
        ...(wanted.inputs && { feeds: await this.#feeds(values) }),
      },
    };
  }

  /** `[batch, heads, queryLength, keyLength]` from whatever leading axes there are. */
  async #asWeights(value: RuntimeTensor): Promise<HostTensor | undefined> {
    const t = hostTensor((await this.#gpu?.read(value)) ?? (await downloaded(value, true)));
    if (!t || t.shape.length < 2) return undefined;
    const lead = t.shape.slice(0, -2);
    const count = lead.reduce((product, size) => product * size, 1);
    const heads = lead.length >= 2 ? (lead.at(-1) as number) : (this.#heads ?? 1);
    const [rows, keys] = t.shape.slice(-2) as [number, number];
    const batch = heads === 0 ? 0 : count / heads;
    return withAxes(t, [batch, heads, rows, keys], [heads * rows * keys, rows * keys, keys, 1]);
  }

  async #feeds(values: RunValues): Promise<Readonly<Record<string, RuntimeTensor>>> {
    const { runtime } = this.#loader;
    await values.fetch(this.#own.inputs);
    return Object.fromEntries(
      this.#own.inputs.map((name) => [name, feedValue(runtime, values.onHost(name))]),
    );
  }

  async release(): Promise<void> {
    const loaded = await this.#loaded?.catch(() => null);
    await loaded?.release();
  }
}

/** A call and its output's form, for whoever asked for inputs. */
function shownInputs(call: SiteCall): Pick<SiteResult, "inputs" | "arrange"> {
  return { inputs: call.inputs, arrange: (made) => arrangedOutput(floats(made), call) };
}

/** @throws NotInPlace for a call whose results onnxruntime could not read where a backend leaves them */
function checkInPlace(call: SiteCall<CallTensor>, weightsRead: boolean): void {
  const { inputs, outputAxes, outputDType, weightDType, weightSizes } = call;
  const { query, key, value } = inputs;
  if (outputAxes) throw new NotInPlace("the output's axes are in another order");
  if (outputDType !== query.dtype || (weightsRead && weightDType !== query.dtype)) {
    throw new NotInPlace("the results are of another type than the operands");
  }
  if ([query, key, value].some(({ shape }) => elementCount(shape) === 0)) {
    throw new NotInPlace("an operand is empty");
  }
  if (elementCount(weightSizes) === 0) throw new NotInPlace("there are no scores");
}
