import { judge } from "@heed/conformance";
import { type Attention, createAttention, type HostTensor, slice } from "heed";
import type { LayerRun, Projected } from "../model/encoder.js";
import { longest } from "../model/sizes.js";
import { story } from "../model/story.js";
import type { BackendName } from "../state/state.js";
import { stripRows } from "../state/strips.js";
import { loadModel, type Model } from "./load-model.js";
import type { Models } from "./models.js";
import type {
  Call,
  Computation,
  Difference,
  LayerData,
  LongText,
  Message,
  Sentence,
} from "./protocol.js";
import { whyOf } from "./why.js";

/** Everything is computed here, so that the page stays smooth. Its name is the address of the model. */
let model: Promise<Model> | undefined;
const attentions = new Map<BackendName, Promise<Attention>>();
let long:
  | { readonly key: string; readonly text: LongText; readonly tensors: Projected }
  | undefined;

function send(message: Message, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}

function loaded(): Promise<Model> {
  model ??= loadModel(self.name, (done, all) => send({ loaded: done, all }));
  // A failed download is tried again by the next call.
  model.catch(() => {
    model = undefined;
  });
  return model;
}

let models: Promise<Models> | undefined;

/** Loaded when a model is looked at: it brings onnxruntime. */
function spliced(): Promise<Models> {
  models ??= import("./models.js").then(({ Models }) => new Models(self.name));
  return models;
}

function on(backend: BackendName): Promise<Attention> {
  const known = attentions.get(backend);
  if (known) return known;
  const made = open(backend);
  attentions.set(backend, made);
  made.catch(() => attentions.delete(backend));
  return made;
}

async function open(backend: BackendName): Promise<Attention> {
  if (backend === "auto") return createAttention({ select: "order" });
  if (backend !== "webgpu") return createAttention({ backends: [backend], fallback: "error" });
  // Whoever asks for it by name gets it of a software adapter, too.
  const { webgpu } = await import("@heed/backend-webgpu");
  const provider = webgpu({ allowFallbackAdapter: true });
  return createAttention({ backends: [provider], fallback: "error" });
}

async function run(backend: BackendName, text: string, causal: boolean) {
  const { encoder, tokeniser } = await loaded();
  const { pieces, ids } = tokeniser.encode(text);
  if (ids.length === 0) throw new RangeError("there are no words in it");
  const attention = await on(backend);
  const start = performance.now();
  const { layers } = await encoder.encode(attention, ids.subarray(0, longest), causal);
  const milliseconds = performance.now() - start;
  return { attention, pieces, layers, milliseconds };
}

type Promised = {
  [Name in keyof Computation]: (
    ...args: Parameters<Computation[Name]>
  ) => Promise<ReturnType<Computation[Name]>>;
};

const computation: Promised = {
  async sentence(backend, text, causal): Promise<Sentence> {
    const { attention, pieces, layers, milliseconds } = await run(backend, text, causal);
    const first = layers[0] as LayerRun;
    return {
      pieces: pieces.slice(0, longest),
      left: Math.max(0, pieces.length - longest),
      layers: layers.map(dataOf),
      backend: first.backend,
      why: whyOf(attention, attention.explain(callOf(first, causal))),
      milliseconds,
    };
  },

  async difference(backend, other, text, causal, layer): Promise<Difference> {
    const { layers } = await run(backend, text, causal);
    const mine = layers[layer] as LayerRun;
    const inputs = callOf(mine, causal);
    const theirs = await (await on(other)).run(inputs);
    const budgets = [mine, theirs].map(
      ({ output, scores, weights }) => judge(inputs, { output, scores, weights }).budgets,
    );
    return {
      weights: elements(mine.weights).map((x, i) => x - (elements(theirs.weights)[i] as number)),
      backend: mine.backend,
      other: theirs.backend,
      budgets: budgets as [number, number],
    };
  },

  async long(backend, length): Promise<LongText> {
    return (await prepared(backend, length)).text;
  },

  async model(source) {
    return (await spliced()).find(await on("js"), source);
  },

  async site(backend, source, feeding, chosen) {
    return (await spliced()).weights(await on(backend), backend, source, feeding, chosen);
  },

  async rows(backend, length, head, first): Promise<Float32Array> {
    const { tensors } = await prepared(backend, length);
    const attention = await on(backend);
    const ofHead = (t: HostTensor<"float32">) => slice(t, 1, head, head + 1);
    const query = slice(ofHead(tensors.query), 2, first, Math.min(first + stripRows, length));
    const [key, value] = [ofHead(tensors.key), ofHead(tensors.value)];
    const { weights } = await attention.run({ query, key, value, returns: { weights: true } });
    return elements(weights);
  },
};

/** The long text on a backend; the last one is kept. */
async function prepared(backend: BackendName, length: number): Promise<NonNullable<typeof long>> {
  const key = `${backend} ${length}`;
  if (long?.key === key) return long;
  const { encoder, tokeniser } = await loaded();
  const attention = await on(backend);
  const pieces: string[] = [];
  const ids: number[] = [];
  for (const sentence of story()) {
    const encoded = tokeniser.encode(sentence);
    pieces.push(...encoded.pieces);
    ids.push(...encoded.ids);
    if (ids.length >= length) break;
  }
  const tensors = await encoder.first(attention, Int32Array.from(ids.slice(0, length)));
  const query = slice(tensors.query, 2, 0, 1);
  const explained = await attention.prepare({ ...tensors, query, returns: { weights: true } });
  const text = {
    pieces: pieces.slice(0, length),
    backend: explained.backend ?? "",
    why: whyOf(attention, explained),
  };
  long = { key, text, tensors };
  return long;
}

function callOf({ query, key, value }: Projected, causal: boolean) {
  return { query, key, value, causal, returns: { scores: "raw", weights: true } } as const;
}

function elements(t: HostTensor<"float32">): Float32Array {
  return t.data as Float32Array;
}

function dataOf(run: LayerRun): LayerData {
  const headDim = run.query.shape[3] as number;
  const { query, key, value, scores, weights, output } = run;
  return {
    ...{ headDim, scale: 1 / Math.sqrt(headDim) },
    ...{ query: elements(query), key: elements(key), value: elements(value) },
    ...{ scores: elements(scores), weights: elements(weights), output: elements(output) },
  };
}

/** Memory of an array that nobody else uses: the page gets it without a copy. */
function ownMemory(result: unknown): ArrayBuffer[] {
  if (!(result instanceof Float32Array)) return [];
  const { buffer, byteLength } = result;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

/** Calls run one after the other, in the order in which they came. */
let last: Promise<unknown> = Promise.resolve();
addEventListener("message", ({ data }: MessageEvent<{ id: number; call: Call }>) => {
  const { id, call } = data;
  const [name, ...args] = call;
  last = last.then(async () => {
    try {
      const compute = computation[name] as (...args: unknown[]) => Promise<unknown>;
      const result = await compute(...args);
      send({ id, result }, ownMemory(result));
    } catch (error) {
      send({ id, problem: error instanceof Error ? error.message : String(error) });
    }
  });
});
