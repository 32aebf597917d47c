import { median } from "simple-statistics";
import {
  flopsPerIteration,
  fusedMultiplyAdd,
  multiplyThenAdd,
  streamingRead,
} from "./generated/modules.js";
import { decode, instantiate } from "./module.js";

/** Peak rates measured on one thread. */
export interface ThreadCeiling {
  /** A register-only loop of multiply-adds, by how they are done. */
  readonly arithmetic: readonly ArithmeticCeiling[];
  /** A read of memory far past the caches, in 10⁹ bytes a second. */
  readonly readGBps: number;
}

export interface ArithmeticCeiling {
  /** `simd128`: a multiply and an add; `relaxed-simd`: fused, where the engine has it. */
  readonly features: "simd128" | "relaxed-simd";
  readonly gflops: number;
}

/** Larger than any last-level cache that a single core is likely to have to itself. */
const readBytes = 64 * 2 ** 20;
const repetitions = 9;

/** Called before each measurement; others that measure at the same time wait for one another. */
export type Barrier = () => void;

/**
 * Measures what this engine's 128-bit wasm reaches on one thread: what wasm kernels are up against.
 * Takes about a second.
 */
export async function measureThread(barrier: Barrier = () => {}): Promise<ThreadCeiling> {
  const arithmetic: ArithmeticCeiling[] = [];
  for (const [features, base64] of [
    ["simd128", multiplyThenAdd],
    ["relaxed-simd", fusedMultiplyAdd],
  ] as const) {
    if (!WebAssembly.validate(decode(base64))) continue;
    arithmetic.push({ features, gflops: await arithmeticRate(base64, barrier) });
  }
  return { arithmetic, readGBps: await readRate(barrier) };
}

async function arithmeticRate(base64: string, barrier: Barrier): Promise<number> {
  const run = await instantiate(base64);
  const iterations = 2 ** 21;
  // The optimising compiler takes over in the background, after a first call and a pause.
  run(2 ** 16, 1);
  await pause();
  return medianRate(() => run(iterations, 1), flopsPerIteration * iterations, barrier);
}

async function readRate(barrier: Barrier): Promise<number> {
  const memory = new WebAssembly.Memory({ initial: readBytes / 2 ** 16 });
  // Pages never written to are all the same page of zeros, which sits in the cache.
  new Uint8Array(memory.buffer).fill(1);
  const run = await instantiate(streamingRead, { env: { memory } });
  run(2 ** 16);
  await pause();
  return medianRate(() => run(readBytes), readBytes, barrier);
}

/** @returns 10⁹ units a second */
function medianRate(run: () => void, units: number, barrier: Barrier): number {
  run();
  const rates: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    barrier();
    const start = performance.now();
    run();
    rates.push(units / (performance.now() - start) / 1e6);
  }
  return median(rates);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 30));
}
