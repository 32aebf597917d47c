import { BackendUnavailableError, InvalidInputError } from "@heed/core";
import type { LoadedWasm } from "./backend.js";
import { mostPages, pageBytes, WasmMemory } from "./memory.js";
import { chooseBuild, compileBuild, type Kernels, type SimdBuild } from "./module.js";
import { ThreadPool } from "./threads/pool.js";
import { builtin } from "./threads/spawn.js";

export interface WasmOptions {
  /**
   * Threads that compute, the calling one among them. `"auto"`, the default: as many as the machine
   * runs at once, 8 at most. Where threads cannot be had it is one, and `info.notes` says why.
   */
  readonly threads?: number | "auto" | undefined;
  /** Which build: default the best that the engine validates. `"baseline"` does without relaxed SIMD. */
  readonly simd?: SimdBuild | undefined;
  /**
   * A compiled module, for runtimes that compile modules at deployment and forbid to compile bytes: one of
   * the package's `@heed/backend-wasm/baseline.wasm` and `relaxed.wasm`, or, for threads,
   * `baseline-shared.wasm` and `relaxed-shared.wasm`. It does not help pages whose content policy lacks
   * `'wasm-unsafe-eval'`: browsers then refuse to compile or instantiate any module.
   */
  readonly module?: WebAssembly.Module | undefined;
  /**
   * Whether a row of the output must have the same bits whatever other rows, heads and batch entries are in
   * the call, and however many threads compute it. Default false: calls of up to four rows a key head take a
   * kernel of their own, and long caches are split among threads, which is faster when decoding.
   */
  readonly batchInvariant?: boolean | undefined;
}

/** More threads than this hardly help: the memory's bandwidth is shared. */
const mostAutoThreads = 8;

/** @throws InvalidInputError naming the option at fault */
export function checkOptions(options: WasmOptions): void {
  const known = ["threads", "simd", "module", "batchInvariant"];
  const { threads = "auto", simd, module, batchInvariant } = options;
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new InvalidInputError(`options.${name}`, `only ${known.join(", ")}`, name);
    }
  }
  if (threads !== "auto" && !(Number.isInteger(threads) && threads >= 1)) {
    throw new InvalidInputError("threads", 'an integer ≥ 1, or "auto"', String(threads));
  }
  if (simd !== undefined && simd !== "baseline" && simd !== "relaxed") {
    throw new InvalidInputError("simd", '"baseline" or "relaxed"', String(simd));
  }
  if (module !== undefined && !(module instanceof WebAssembly.Module)) {
    throw new InvalidInputError("module", "a WebAssembly.Module", String(module));
  }
  if (batchInvariant !== undefined && typeof batchInvariant !== "boolean") {
    throw new InvalidInputError("batchInvariant", "true or false", String(batchInvariant));
  }
  if (module !== undefined && simd !== undefined) {
    throw new InvalidInputError("simd", "nothing beside module, which is a build", simd);
  }
}

/** @throws BackendUnavailableError with the reason, where it cannot work */
export async function loadWasm(options: WasmOptions): Promise<LoadedWasm> {
  const notes: string[] = [];
  const { build, reason } = options.module
    ? { build: null, reason: "the module that was given" }
    : chooseBuild(options.simd);
  notes.push(reason);
  const wanted = wantedThreads(options.threads ?? "auto");
  let threaded: Instance | null = null;
  if (wanted > 1) {
    try {
      threaded = await startThreads(options.module ?? null, build, wanted);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      notes.push(`one thread: ${cause}`);
    }
  } else {
    notes.push(options.threads === 1 ? "one thread: asked for" : "one thread: the machine has one");
  }
  const instance = threaded ?? (await startAlone(options.module ?? null, build));
  const threads = instance.pool?.threads ?? 1;
  const batchInvariant = options.batchInvariant === true;
  if (batchInvariant) notes.push("batch-invariant: asked for");
  return {
    ...instance,
    batchInvariant,
    info: {
      runtime: "WebAssembly",
      device: "CPU",
      features: build === "relaxed" ? ["simd128", "relaxed-simd"] : ["simd128"],
      threads,
      notes,
    },
  };
}

type Instance = Omit<LoadedWasm, "info" | "batchInvariant">;

function wantedThreads(threads: number | "auto"): number {
  if (threads !== "auto") return threads;
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  const os = builtin<{ availableParallelism(): number }>("node:os");
  const cores = os?.availableParallelism() ?? navigator?.hardwareConcurrency ?? 1;
  return Math.min(cores, mostAutoThreads);
}

async function startAlone(
  given: WebAssembly.Module | null,
  build: SimdBuild | null,
): Promise<Instance> {
  const module = given ?? (await compileBuild(build as SimdBuild, false));
  const { memory, limit } = makeMemory(false);
  return {
    memory: new WasmMemory(memory, limit),
    kernels: await instantiate(module, memory),
    pool: null,
  };
}

/** @throws why there are no threads */
async function startThreads(
  given: WebAssembly.Module | null,
  build: SimdBuild | null,
  threads: number,
): Promise<Instance> {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  if (crossOriginIsolated === false) {
    throw new Error(
      "the page is not cross-origin isolated, so that there is no shared memory (COOP and COEP headers make it so)",
    );
  }
  if (typeof SharedArrayBuffer !== "function")
    throw new Error("there is no SharedArrayBuffer here");
  const module = given ?? (await compileBuild(build as SimdBuild, true));
  const { memory, limit } = makeMemory(true);
  let kernels: Kernels;
  try {
    kernels = await instantiate(module, memory);
  } catch (error) {
    if (given && error instanceof BackendUnavailableError) {
      throw new Error("the module that was given is not one for shared memory");
    }
    throw error;
  }
  const pool = await ThreadPool.start(module, memory, kernels, threads);
  return { memory: new WasmMemory(memory, limit), kernels, pool };
}

/** As much as there can be: what is reserved is address space, and taken as needed. */
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
  for (const name of ["attend", "share", "merge"] satisfies (keyof Kernels)[]) {
    if (typeof exports[name] !== "function") {
      throw new BackendUnavailableError(`the module has no function ${name}`, hint);
    }
  }
  if (!(exports.tileElements instanceof WebAssembly.Global)) {
    throw new BackendUnavailableError("the module has no global tileElements", hint);
  }
  return exports as unknown as Kernels;
}
