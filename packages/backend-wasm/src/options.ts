import { InvalidInputError } from "@heed/core";
import type { SimdBuild } from "./module.js";

export interface WasmOptions {
  /**
   * Number of threads that compute, the calling one among them. `"auto"`, the default: as many as the
   * machine runs at once, 8 at most. Where threads cannot be had it is one, and `info.notes` says why.
   * Calls before the threads have started are computed by one, with the same results.
   */
  readonly threads?: number | "auto" | undefined;
  /** The build; default the best that the engine validates. `"baseline"` does without relaxed SIMD. */
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
