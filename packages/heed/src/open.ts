import {
  type Attention,
  type AttentionOptions,
  type AttentionProvider,
  InvalidInputError,
} from "@heed/core";
import {
  checkOptions,
  describeValue,
  type MakeTest,
  openAttention,
  readAttentionOptions,
  type Strategy,
} from "@heed/core/select";
import { onnxByName } from "#onnx";
import { js, wasm, webgpu } from "./backends.js";
import { type Environment, environmentOf } from "./environment.js";
import type { LearningStore } from "./learn/store.js";
import type { HeedOptions } from "./options.js";
import { type BackendName, defaultOrder } from "./order.js";

/** `createAttention`, which imports this module when it is first called. */
export async function open(options: HeedOptions | undefined): Promise<Attention> {
  const given = readAttentionOptions<HeedOptions>(options, ["store"]);
  const { select = "auto", store, backends, fallback = backends ? "warn" : "silent" } = given;
  const checked = checkOptions({
    ...(given as Partial<AttentionOptions>),
    load: given.load ?? "on-demand",
    recover: given.recover ?? fallback !== "error",
    fallback,
    backends: providersOf(backends, environmentOf()),
  });
  const strategy = await (select === "auto" ? learning(store) : strategyOf(select));
  const makeTest: MakeTest = async (backend) => new (await parts()).SelfTest(backend);
  return openAttention({ ...checked, strategy, makeTest: checked.selfTest ? makeTest : null });
}

/** Parts that are downloaded beside the first backend. */
const parts = () => import("@heed/core/select/parts");

async function learning(store: LearningStore | null | undefined): Promise<Strategy> {
  const { AutoStrategy, defaultStore, Memory } = await import("./learn/index.js");
  const usable =
    store === undefined ||
    store === null ||
    (typeof store.read === "function" && typeof store.write === "function");
  if (!usable) {
    throw new InvalidInputError("store", "{ read, write }, or null", describeValue(store));
  }
  const memory = new Memory(store === undefined ? defaultStore() : store);
  await memory.restore();
  return new AutoStrategy(memory);
}

async function strategyOf(select: unknown): Promise<Strategy | null> {
  return select === "order" ? null : (await parts()).strategyOf(select);
}

function providersOf(backends: unknown, environment: Environment): readonly AttentionProvider[] {
  if (backends === undefined) {
    return defaultOrder[environment].map(({ backend, reason }) => ({
      ...named[backend](true),
      orderReason: reason,
    }));
  }
  // Anything else is judged by core.
  if (!Array.isArray(backends)) return backends as readonly AttentionProvider[];
  return backends.map((backend: unknown, i) => {
    if (typeof backend !== "string") return backend as AttentionProvider;
    if (Object.hasOwn(named, backend)) return named[backend as BackendName](false);
    const names = Object.keys(named).map((name) => JSON.stringify(name));
    throw new InvalidInputError(
      `backends[${i}]`,
      `one of ${names.join(", ")}, or a provider`,
      describeValue(backend),
    );
  });
}

/** Providers by name. @param unasked whether nobody named the backend */
const named: Readonly<Record<BackendName, (unasked: boolean) => AttentionProvider>> = {
  webgpu: () => webgpu(),
  wasm: () => wasm(),
  // Unasked, it is worth it only with onnxruntime-node.
  onnx: (unasked) => onnxByName(unasked ? { provider: "cpu" } : {}),
  js: () => js(),
};
