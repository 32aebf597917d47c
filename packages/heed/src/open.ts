import {
  type Attention,
  type AttentionOptions,
  type AttentionProvider,
  InvalidInputError,
} from "@heed/core";
import { reading, readOptions } from "@heed/core/options";
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
import type { Memory } from "./learn/memory.js";
import type { LearningStore } from "./learn/store.js";
import type { HeedOptions } from "./options.js";
import { type BackendName, defaultOrder } from "./order.js";

/** `createAttention`, which imports this module when it is first called. */
export async function open(options: HeedOptions | undefined): Promise<Attention> {
  const given = readAttentionOptions<HeedOptions>(options, ["store"]);
  const { select = "auto", store, backends, fallback = backends ? "warn" : "silent" } = given;
  const learner = isAuto(select) ? await learning(select, store) : null;
  const checked = checkOptions({
    ...(given as Partial<AttentionOptions>),
    load: given.load ?? "on-demand",
    recover: given.recover ?? fallback !== "error",
    fallback,
    backends: providersOf(backends, environmentOf(), learner?.memory.note("wasm")),
  });
  await learner?.memory.restore();
  const strategy = learner?.strategy ?? (await strategyOf(select));
  const makeTest: MakeTest = async (backend) => new (await parts()).SelfTest(backend);
  return openAttention({ ...checked, strategy, makeTest: checked.selfTest ? makeTest : null });
}

/** Parts that are downloaded beside the first backend. */
const parts = () => import("@heed/core/select/parts");

type Auto = Extract<HeedOptions["select"], "auto" | { readonly auto: unknown }>;

function isAuto(select: unknown): select is Auto {
  if (typeof select !== "object" || select === null) return select === "auto";
  return reading("select", () => "auto" in select);
}

/** The strategy that learns, and its memory, which is still to be restored. */
async function learning(
  select: Auto,
  store: LearningStore | null | undefined,
): Promise<{ readonly memory: Memory; readonly strategy: Strategy }> {
  const { AutoStrategy, defaultStore, Memory } = await import("./learn/index.js");
  const usable =
    store === undefined ||
    store === null ||
    (typeof store.read === "function" && typeof store.write === "function");
  if (!usable) {
    throw new InvalidInputError("store", "{ read, write }, or null", describeValue(store));
  }
  const memory = new Memory(store === undefined ? defaultStore() : store);
  const seed = select === "auto" ? null : await seedOf(select);
  return { memory, strategy: new AutoStrategy(memory, { seed }) };
}

/** @throws InvalidInputError naming the member at fault */
async function seedOf(select: object): Promise<Strategy | null> {
  const { auto } = readOptions<{ auto?: object }>("select", select, new Set(["auto"]));
  const { recommendation } = readOptions<{ recommendation?: unknown }>(
    "select.auto",
    auto,
    new Set(["recommendation"]),
  );
  if (recommendation === undefined) return null;
  const { recommendedStrategy } = await parts();
  return recommendedStrategy("select.auto.recommendation", recommendation);
}

async function strategyOf(select: unknown): Promise<Strategy | null> {
  return select === "order" ? null : (await parts()).strategyOf(select);
}

/** @param store where wasm keeps what it measured */
function providersOf(
  backends: unknown,
  environment: Environment,
  store: LearningStore | undefined,
): readonly AttentionProvider[] {
  if (backends === undefined) {
    return defaultOrder[environment].map(({ backend, reason }) => ({
      ...named[backend](true, store),
      orderReason: reason,
    }));
  }
  // Anything else is judged by core.
  if (!Array.isArray(backends)) return backends as readonly AttentionProvider[];
  return backends.map((backend: unknown, i) => {
    if (typeof backend !== "string") return backend as AttentionProvider;
    if (Object.hasOwn(named, backend)) return named[backend as BackendName](false, store);
    const names = Object.keys(named).map((name) => JSON.stringify(name));
    throw new InvalidInputError(
      `backends[${i}]`,
      `one of ${names.join(", ")}, or a provider`,
      describeValue(backend),
    );
  });
}

/** Makes a provider. @param unasked whether nobody named the backend */
type Make = (unasked: boolean, store: LearningStore | undefined) => AttentionProvider;

/** Providers by name. */
const named: Readonly<Record<BackendName, Make>> = {
  webgpu: () => webgpu(),
  wasm: (_, store) => wasm({ store }),
  // Unasked, it is worth it only with onnxruntime-node.
  onnx: (unasked) => onnxByName(unasked ? { provider: "cpu" } : {}),
  js: () => js(),
};
