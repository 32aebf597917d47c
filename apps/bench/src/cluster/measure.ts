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
import { groups, startLocalGroups } from "./group.js";

/** Sizes of the call: one token of an 8B Llama over a long cache. */
export const sizes = { keys: 32_768, queryHeads: 32, kvHeads: 8, headDim: 128 } as const;

/** Times of one call, in milliseconds. */
export interface ClusterTimes {
  readonly workers: number;
  /** Median of the whole call. */
  readonly call: number;
  /** Median of the same call where workers answer at once, without computing: what messages and merging cost. */
  readonly transport: number;
  /** Processor time of this process for such a call: the client's share of it. */
  readonly client: number;
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
  const group = await startLocalGroups();
  try {
    const local = await wasm({ threads: 1 }).load();
    const here = await placed(local);
    const alone = await median(runs, () => call(local, here));
    local.dispose();
    const times: ClusterTimes[] = [];
    for (let workers = 1; workers <= most; workers++) {
      await group.start();
      const whole = await inGroup(group.url, groups.computing, async (backend, there) => ({
        call: await median(runs, () => call(backend, there)),
        append: await median(runs, () => appendOne(backend, there)),
      }));
      const messages = await inGroup(group.url, groups.atOnce, (backend, there) =>
        measureMessages(runs, () => call(backend, there)),
      );
      times.push({ workers, ...whole, ...messages });
    }
    return { local: alone, times };
  } finally {
    group.stop();
  }
}

/** Measures something over a cache on all workers of a group. */
async function inGroup<T>(
  servers: string,
  group: string,
  measure: (backend: Backend, there: Placed) => Promise<T>,
): Promise<T> {
  const backend = await cluster({ servers, group }).load();
  const there = await placed(backend);
  try {
    return await measure(backend, there);
  } finally {
    for (const t of [there.key, there.value]) t.dispose();
    backend.dispose();
  }
}

/** Blocks of calls without computing; the quietest one counts, as the machine may have other work. */
const blocks = 10;
/** Calls before those: about thirty tokens of a model with 32 layers, until both sides are compiled. */
const warmUpCalls = 1000;

async function measureMessages(
  runs: number,
  work: () => Promise<void>,
): Promise<Pick<ClusterTimes, "transport" | "client">> {
  for (let run = 0; run < warmUpCalls; run++) await work();
  let transport = Number.POSITIVE_INFINITY;
  let client = Number.POSITIVE_INFINITY;
  for (let block = 0; block < blocks; block++) {
    const before = process.cpuUsage();
    transport = Math.min(transport, await median(runs, work, 0));
    const { user, system } = process.cpuUsage(before);
    client = Math.min(client, (user + system) / 1000 / runs);
  }
  return { transport, client };
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

async function call(backend: Backend, { key, value }: Placed): Promise<void> {
  const { keys } = sizes;
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

async function median(runs: number, work: () => Promise<void>, warmUp = 5): Promise<number> {
  const times: number[] = [];
  for (let run = -warmUp; run < runs; run++) {
    const start = performance.now();
    await work();
    if (run >= 0) times.push(performance.now() - start);
  }
  return middle(times);
}

function middle(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] as number;
}
