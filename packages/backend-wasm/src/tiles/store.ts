import type { SimdBuild } from "../module.js";
import { builtin } from "../threads/spawn.js";
import type { TileRates } from "./measure.js";
import { tileVariants } from "./variants.js";

/** A place where measured rates are kept for later processes, as one text. Either function may throw or reject. */
export interface VariantStore {
  /** The text that was written last; null or undefined if there is none. */
  read(): string | null | undefined | Promise<string | null | undefined>;
  write(text: string): void | Promise<void>;
}

const format = "heed-wasm-variants";
/** Rates of other kernels than these say nothing: to be raised when the kernels or the sample change. */
const version = 1;

/** Engines, processors and builds that a text holds; the ones measured longest ago are left out first. */
const mostEntries = 32;

/** Longest text that is read back, in characters. */
const longestText = 65_536;

/** The scope of rates: the build, the engine with its version, and the processor as far as it can be told. */
function keyOf(build: SimdBuild): string {
  const { process, navigator } = globalThis as {
    readonly process?: { readonly versions?: Readonly<Record<string, string | undefined>> };
    readonly navigator?: { readonly userAgent?: string; readonly hardwareConcurrency?: number };
  };
  const { webkit, v8 } = process?.versions ?? {};
  const engine = webkit ?? v8 ?? navigator?.userAgent ?? "unknown";
  const os = builtin<{ cpus(): readonly { readonly model: string }[] }>("node:os");
  const processor = os?.cpus()[0]?.model ?? `${navigator?.hardwareConcurrency ?? "unknown"} cores`;
  return [build, engine, processor].join("; ");
}

/** The rates that a store has for a build in this engine on this processor, or null. Never rejects. */
export async function readRates(store: VariantStore, build: SimdBuild): Promise<TileRates | null> {
  return (await readAll(store)).get(keyOf(build)) ?? null;
}

/** Adds rates to what a store has. Never rejects: a store that is full keeps what it has. */
export async function writeRates(
  store: VariantStore,
  build: SimdBuild,
  rates: TileRates,
): Promise<void> {
  const all = await readAll(store);
  const key = keyOf(build);
  // At the end: the order of a Map is that of insertion.
  all.delete(key);
  all.set(key, rates);
  const latest = Object.fromEntries([...all].slice(-mostEntries));
  try {
    await store.write(JSON.stringify({ format, version, rates: latest }));
  } catch {
    // It is measured again.
  }
}

async function readAll(store: VariantStore): Promise<Map<string, TileRates>> {
  try {
    const text = await store.read();
    if (typeof text !== "string" || text.length > longestText) return new Map();
    const whole = JSON.parse(text) as Record<string, unknown>;
    if (whole.format !== format || whole.version !== version) return new Map();
    const entries = Object.entries(whole.rates as Record<string, TileRates>);
    return new Map(entries.filter(([, rates]) => areRates(rates)));
  } catch {
    return new Map();
  }
}

function areRates(rates: unknown): rates is TileRates {
  if (typeof rates !== "object" || rates === null) return false;
  return tileVariants.every((variant) => {
    const rate = (rates as Partial<TileRates>)[variant];
    return Number.isFinite(rate) && (rate as number) > 0;
  });
}
