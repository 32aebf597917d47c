import { cluster } from "@heed/backend-cluster";
import { wasm } from "@heed/backend-wasm";
import {
  type AttentionInputs,
  type Backend,
  type DeviceTensor,
  describeProblem,
  type HostTensor,
  isDeviceTensor,
  scatter,
  type Tensor,
  tensor,
} from "@heed/core";
import { startLocalGroup } from "./group.js";

/** Sizes of the call: one token of an 8B Llama over a long cache. */
export const sizes = { keys: 32_768, queryHeads: 32, kvHeads: 8, headDim: 128 } as const;

/** Times of one call, in milliseconds. */
export interface ClusterTimes {
  readonly workers: number;
  /** Median of the whole call. */
  readonly call: number;
  /** Median of the same messages where each part has a page of keys: transport and merge, without computing. */
  readonly transport: number;
  /** Median of an append of one token, of keys and values together. */
  readonly append: number;
}

export interface ClusterReport {
  /** Median of the call on one backend in this process, in milliseconds. */
  readonly local: number;
  readonly times: readonly ClusterTimes[];
}

/** Measures one to `most` workers on this machine, which share its processors. */
export async function measureCluster(most: number, runs: number): Promise<ClusterReport> {
  const group = await startLocalGroup("bench");
  try {
    const local = await wasm({ threads: 1 }).load();
    const here = await placed(local);
    const alone = await median(runs, () => call(local, here, sizes.keys));
    local.dispose();
    const times: ClusterTimes[] = [];
    for (let workers = 1; workers <= most; workers++) {
      await group.start();
      const provider = cluster({ servers: group.url, group: "bench" });
      const backend = await provider.load();
      const there = await placed(backend);
      // By turns, so that what else the machine does meets both alike.
      const whole: number[] = [];
      const messages: number[] = [];
      for (let run = 0; run < runs + 5; run++) {
        const first = await timed(() => call(backend, there, sizes.keys));
        const second = await timed(() => call(backend, there, 256 * workers));
        if (run < 5) continue;
        whole.push(first);
        messages.push(second);
      }
      const append = await median(runs, () => appendOne(backend, there));
      for (const t of [there.key, there.value]) t.dispose();
      backend.dispose();
      times.push({ workers, call: middle(whole), transport: middle(messages), append });
    }
    return { local: alone, times };
  } finally {
    group.stop();
  }
}

interface Placed {
  readonly key: DeviceTensor;
  readonly value: DeviceTensor;
}

async function placed(backend: Backend): Promise<Placed> {
  const { memory } = backend;
  if (memory === undefined) throw new Error(`${backend.name} has no memory`);
  return { key: await memory.upload(cache), value: await memory.upload(cache) };
}

/** Numbers between −1 and 1 without a pattern that a kernel could be lucky with (a linear congruential generator). */
function noise(shape: readonly number[]): HostTensor<"float32"> {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = state / 2 ** 31;
  }
  return tensor(data, shape);
}

const query = noise([1, sizes.queryHeads, 1, sizes.headDim]);
const cache = noise([1, sizes.kvHeads, sizes.keys, sizes.headDim]);
const token = noise([1, sizes.kvHeads, 1, sizes.headDim]);

async function call(backend: Backend, { key, value }: Placed, keys: number): Promise<void> {
  const rules = { causal: true, kvLengths: [keys], queryOffset: keys - 1 };
  const inputs: AttentionInputs = { query, key, value, ...rules };
  const plan = await planOf(backend, inputs);
  const { output } = (await plan.run(inputs)) as { readonly output: Tensor };
  if (isDeviceTensor(output)) {
    await output.read();
    output.dispose();
  }
}

/** The plan is kept, as an attention keeps it. */
const plans = new WeakMap<Backend, ReturnType<Backend["plan"]>>();

async function planOf(backend: Backend, inputs: AttentionInputs) {
  const known = plans.get(backend) ?? backend.plan(describeProblem(inputs));
  plans.set(backend, known);
  return (await known) as { run(inputs: AttentionInputs): Promise<unknown> };
}

async function appendOne(backend: Backend, { key, value }: Placed): Promise<void> {
  for (const target of [key, value]) {
    const inputs = { target, source: token, slots: Int32Array.of(7), paged: false };
    const plan = (await backend.plan(scatter.describe(inputs))) as {
      run(inputs: unknown): Promise<unknown>;
    };
    await plan.run(inputs);
  }
}

async function median(runs: number, work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs + 5; run++) {
    const time = await timed(work);
    if (run >= 5) times.push(time);
  }
  return middle(times);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function middle(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] as number;
}
