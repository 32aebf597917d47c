/** Kernels write to the memory that a call has, and what they compute depends on nothing that lies in it or beside it. */
import { caseInputs, checkCase, selectCases } from "@heed/conformance";
import {
  type AttentionProblem,
  type Backend,
  describeProblem,
  type HostTensor,
  type Tensor,
} from "@heed/core";
import { expect, test } from "vitest";
import type { SharingLimits } from "../src/attention/plan.js";
import { alignment } from "../src/memory/allocator.js";
import { WasmMemory } from "../src/memory/memory.js";
import type { WasmOptions } from "../src/options.js";
import { timeTiles } from "../src/tiles/measure.js";
import { backendOver, loadThreads } from "./backends.js";

/** Bytes before and behind each allocation. */
const guardBytes = 4 * alignment;

/** NaN as float32 and float16, and −1 as a whole number. */
const poison = 0xff;

/** Memory whose allocations are poisoned, and lie between guards. */
class GuardedMemory extends WasmMemory {
  readonly #sizes = new Map<number, number>();
  /** Guards that were written to. */
  violations: string[] = [];

  override allocate(bytes: number): number {
    const start = super.allocate(bytes + 2 * guardBytes);
    this.bytes(start, bytes + 2 * guardBytes).fill(poison);
    this.#sizes.set(start + guardBytes, bytes);
    return start + guardBytes;
  }

  override free(address: number): void {
    const bytes = this.#sizes.get(address) as number;
    this.#sizes.delete(address);
    for (const [side, at] of [
      ["before", address - guardBytes],
      ["behind", address + bytes],
    ] as const) {
      const changed = this.bytes(at, guardBytes).findIndex((byte) => byte !== poison);
      if (changed >= 0) this.violations.push(`byte ${changed} of those ${side} ${bytes} bytes`);
    }
    this.bytes(address, bytes).fill(poison);
    super.free(address - guardBytes);
  }
}

/** Multiply-adds of the largest cases that are run. */
const mostWork = 3e6;

function workOf(problem: AttentionProblem): number {
  const { batch, queryHeads, queryLength, keyLength, headDim, valueDim } = problem;
  return batch * queryHeads * queryLength * keyLength * (headDim + valueDim);
}

const calls = selectCases()
  .flatMap((c) => ("spec" in c ? [{ id: c.id, inputs: caseInputs(c) }] : []))
  .map((c) => ({ ...c, problem: describeProblem(c.inputs) }))
  .filter(({ problem }) => workOf(problem) < mostWork);
const others = selectCases().filter((c) => "check" in c);

/** The bits of a tensor. */
function bitsOf(t: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = (t as HostTensor).data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const shareAll: SharingLimits = { sharedWork: 0, leastSplitKeys: 8 };
const ways: Readonly<Record<string, { options: WasmOptions; limits?: SharingLimits }>> = {
  "the best build": { options: { threads: 1 } },
  "baseline SIMD": { options: { threads: 1, simd: "baseline" } },
  "spread tiles": { options: { threads: 1, variant: "spread-by-two" } },
  "keys split": { options: { threads: 2 }, limits: shareAll },
};

async function run(backend: Backend, { inputs, problem }: (typeof calls)[number]) {
  const plan = await backend.plan(problem);
  const outputs = await plan.run(inputs);
  plan.dispose();
  return Object.values(outputs).map(bitsOf);
}

test.each(Object.entries(ways))("%s: memory", async (_, { options, limits }) => {
  const plain = await backendOver(await loadThreads(options), limits);
  const wasm = await loadThreads(options);
  const memory = new GuardedMemory(wasm.memory.memory, wasm.memory.limit);
  const guarded = await backendOver({ ...wasm, memory }, limits);
  let ran = 0;
  for (const call of calls) {
    if (!guarded.supports(call.problem).ok) continue;
    const [expected, got] = [await run(plain, call), await run(guarded, call)];
    expect(memory.violations, call.id).toEqual([]);
    expect(
      got.map((bits, i) => Buffer.compare(bits, expected[i] as Uint8Array)),
      call.id,
    ).toEqual(expected.map(() => 0));
    ran++;
  }
  expect(ran).toBeGreaterThan(500);
  for (const c of others) {
    const result = await checkCase(
      { backend: guarded, provider: { name: "wasm", load: async () => guarded } } as never,
      c,
      { runs: 2 },
    );
    expect([c.id, result.outcome === "fail" ? result.failures : []]).toEqual([c.id, []]);
    expect(memory.violations, c.id).toEqual([]);
  }
  timeTiles(memory, wasm.kernels);
  expect(memory.violations, "the sample of a tile").toEqual([]);
  expect(memory.used).toBe(0);
  guarded.dispose();
  plain.dispose();
});
