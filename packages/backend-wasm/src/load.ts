import { type BackendInfo, BackendUnavailableError } from "@heed/core";
import { mostPages, pageBytes, WasmMemory } from "./memory/memory.js";
import { chooseBuild, compileBuild, type Kernels, type SimdBuild } from "./module.js";
import type { WasmOptions } from "./options.js";
import { ThreadPool } from "./threads/pool.js";
import { builtin } from "./threads/spawn.js";
import { TileChoice } from "./tiles/choice.js";

/** Everything that the backend's kernels live on. */
export interface LoadedWasm {
  readonly memory: WasmMemory;
  readonly kernels: Kernels;
  /** The build of the kernels; null for a module that was given. */
  readonly build: SimdBuild | null;
  /** Threads that problems are planned for: the same whether or not they have started. */
  readonly threads: number;
  /** The threads beside the calling one, perhaps still starting; null where there are none. */
  readonly pool: ThreadPool | null;
  /** Whether a row's result must not depend on the other rows of a call: see the option. */
  readonly batchInvariant: boolean;
  /** How panels read tiles. */
  readonly tiles: TileChoice;
  /** Threads and notes are those of the moment when they are read. */
  readonly info: BackendInfo;
}

/** More threads than this hardly help: the memory's bandwidth is shared. */
const mostAutoThreads = 8;

/** @throws BackendUnavailableError (rejects) with the reason, where WebAssembly or its SIMD cannot be had */
export async function loadWasm(options: WasmOptions): Promise<LoadedWasm> {
  const given = options.module ?? null;
  const { build, reason, tileElements } = given
    ? { build: null, reason: "the module that was given", tileElements: null }
    : chooseBuild(options.simd);
  const threads = wantedThreads(options.threads ?? "auto");
  const obstacle = threads > 1 ? noSharedMemory() : null;
  let alone: string | null =
    threads > 1 ? obstacle : options.threads === 1 ? "asked for" : "the machine has one";
  let instance = null;
  if (alone === null) {
    try {
      instance = await instantiateBuild(given, build, true);
    } catch (error) {
      alone = messageOf(error);
    }
  }
  instance ??= await instantiateBuild(given, build, false);
  const { module, memory } = instance;
  const kernels = withTiles(instance.kernels, tileElements);
  const pool = alone === null ? new ThreadPool(module, memory.memory, kernels, threads) : null;
  pool?.ready.catch((error) => {
    alone = messageOf(error);
  });
  // Starting a worker takes as long as all the rest: loading is over first.
  pool?.startSoon();
  const batchInvariant = options.batchInvariant === true;
  const tiles = new TileChoice(memory, kernels, build, options.variant, options.store);
  void tiles.restore();
  const info: BackendInfo = {
    runtime: "WebAssembly",
    device: "CPU",
    features: build === "relaxed" ? ["simd128", "relaxed-simd"] : ["simd128"],
    get threads() {
      return pool?.isReady ? threads : 1;
    },
    get notes() {
      const starting = pool?.isReady ? [] : [`one thread: ${alone ?? `${threads - 1} more start`}`];
      const invariant = batchInvariant ? ["batch-invariant: asked for"] : [];
      return [reason, ...starting, ...invariant, tiles.note];
    },
  };
  return { memory, kernels, build, threads: pool?.threads ?? 1, pool, batchInvariant, tiles, info };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function wantedThreads(threads: number | "auto"): number {
  if (threads !== "auto") return threads;
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  const os = builtin<{ availableParallelism(): number }>("node:os");
  const cores = os?.availableParallelism() ?? navigator?.hardwareConcurrency ?? 1;
  return Math.min(cores, mostAutoThreads);
}

/** The reason why memory cannot be shared here, or null. */
function noSharedMemory(): string | null {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  if (crossOriginIsolated === false) {
    return "the page is not cross-origin isolated, so that there is no shared memory (COOP and COEP headers make it so)";
  }
  return typeof SharedArrayBuffer === "function" ? null : "there is no SharedArrayBuffer here";
}

interface Instance {
  readonly module: WebAssembly.Module;
  readonly memory: WasmMemory;
  readonly kernels: Kernels;
}

/** @throws BackendUnavailableError (rejects) */
async function instantiateBuild(
  given: WebAssembly.Module | null,
  build: SimdBuild | null,
  shared: boolean,
): Promise<Instance> {
  const module = given ?? (await compileBuild(build as SimdBuild, shared));
  const { memory, limit } = makeMemory(shared);
  try {
    const kernels = await instantiate(module, memory);
    return { module, memory: new WasmMemory(memory, limit), kernels };
  } catch (error) {
    if (given && shared && error instanceof BackendUnavailableError) {
      throw new Error("the module that was given is not one for shared memory", { cause: error });
    }
    throw error;
  }
}

/** Memory with the largest maximum that can be had: it reserves address space, and is taken as needed. */
function makeMemory(shared: boolean): { memory: WebAssembly.Memory; limit: number } {
  let cause: unknown;
  for (let maximum = mostPages; maximum >= mostPages / 64; maximum /= 4) {
    try {
      const memory = new WebAssembly.Memory({ initial: 16, maximum, shared });
      return { memory, limit: maximum * pageBytes };
    } catch (error) {
      cause = error;
    }
  }
  throw new BackendUnavailableError("wasm memory cannot be had", undefined, { cause });
}

/** The kernels with tiles of another length; null: as they are. */
function withTiles(kernels: Kernels, elements: number | null): Kernels {
  return elements === null ? kernels : { ...kernels, tileElements: { value: elements } };
}

/** Functions of a module that runs need. */
const kernelFunctions = [
  "attend",
  "share",
  "merge",
  "normalise",
  "rotate",
  "mergeParts",
  "sampleTile",
] satisfies (keyof Kernels)[];

async function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<Kernels> {
  const hint = "give one of the package's own";
  let exports: Partial<Record<string, unknown>>;
  try {
    ({ exports } = await WebAssembly.instantiate(module, { env: { memory } }));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BackendUnavailableError(`the module does not fit: ${message}`, hint, { cause });
  }
  for (const name of kernelFunctions) {
    if (typeof exports[name] !== "function") {
      throw new BackendUnavailableError(`the module has no function ${name}`, hint);
    }
  }
  if (!(exports.tileElements instanceof WebAssembly.Global)) {
    throw new BackendUnavailableError("the module has no global tileElements", hint);
  }
  return exports as unknown as Kernels;
}
