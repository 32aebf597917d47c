import { InvalidInputError } from "@heed/core";
import type { SimdBuild } from "./module.js";
import type { VariantStore } from "./tiles/store.js";
import { type TileVariant, tileVariants } from "./tiles/variants.js";

export interface WasmOptions {
  /**
   * Number of threads that compute, the calling one among them. `"auto"`, the default: as many as the
   * machine runs at once, 8 at most. Where threads cannot be had it is one, and `info.notes` says why.
   * Calls before the threads have started are computed by one, with the same results.
   */
  readonly threads?: number | "auto" | undefined;
  /**
   * The build. `"baseline"` does without relaxed SIMD; default `"relaxed"` where the engine validates it and fuses its
   * multiply-adds.
   */
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
  /**
   * How blocks of queries read keys and values: `"splat"`, one element at a time into all lanes, or `"spread"` or
   * `"spread-by-two"`, from a copy in which each element fills four lanes. The results are the same. By default, the
   * first calls measure which is the fastest in this engine on this processor, for about a millisecond each, and
   * `info.notes` says what they found.
   */
  readonly variant?: TileVariant | undefined;
  /**
   * The place where measured variants are kept, by engine, version and processor, so that later processes need not measure.
   * Without it they are kept in this process.
   */
  readonly store?: VariantStore | undefined;
}

/** @throws InvalidInputError naming the option at fault */
export function checkOptions(options: WasmOptions): void {
  const known = ["threads", "simd", "module", "batchInvariant", "variant", "store"];
  const { threads = "auto", simd, module, batchInvariant, variant, store } = options;
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
  if (variant !== undefined && !tileVariants.includes(variant)) {
    const names = tileVariants.map((name) => `"${name}"`).join(", ");
    throw new InvalidInputError("variant", `one of ${names}`, String(variant));
  }
  if (store !== undefined && !isStore(store)) {
    throw new InvalidInputError("store", "{ read, write }", String(store));
  }
  if (module !== undefined && simd !== undefined) {
    throw new InvalidInputError("simd", "nothing beside module, which is a build", simd);
  }
}

function isStore(store: Partial<VariantStore> | null): boolean {
  return typeof store?.read === "function" && typeof store.write === "function";
}
