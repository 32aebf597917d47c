import {
  type Backend,
  cast,
  type DeviceTensor,
  describeProblem,
  type HostTensor,
  type Plan,
  referenceAttention,
  scatter,
  tensor,
  toFloat64,
} from "@heed/core";

/** Numbers between −1 and 1 that follow from a seed (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomTensor(next: () => number, shape: readonly number[]): HostTensor<"float32"> {
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(Float32Array.from({ length: count }, next), shape);
}

/** A cache of keys and values on a backend, and what it should hold, in host memory. */
export class CheckedCache {
  readonly backend: Backend;
  readonly key: DeviceTensor;
  readonly value: DeviceTensor;
  readonly #keys: HostTensor<"float32">;
  readonly #values: HostTensor<"float32">;
  length = 0;

  constructor(backend: Backend, shape: readonly [number, number, number, number]) {
    this.backend = backend;
    const { memory } = backend;
    if (memory === undefined) throw new Error("the backend has no memory");
    this.key = memory.allocate("float32", shape);
    this.value = memory.allocate("float32", shape);
    const zeros = (): HostTensor<"float32"> =>
      tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
    this.#keys = zeros();
    this.#values = zeros();
  }

  /** Writes one token for every sequence. What should be held is changed first: a repeated write is the same. */
  async append(next: () => number): Promise<void> {
    const [batch, heads, , size] = this.key.shape as [number, number, number, number];
    const slots = new Int32Array(batch).fill(this.length);
    for (const [target, host] of [
      [this.key, this.#keys],
      [this.value, this.#values],
    ] as const) {
      const source = randomTensor(next, [batch, heads, 1, size]);
      await this.write(host, source, slots);
      await this.write(target, source, slots);
    }
    this.length += 1;
  }

  async write(
    target: HostTensor | DeviceTensor,
    source: HostTensor,
    slots: Int32Array,
  ): Promise<void> {
    const inputs = { target, source, slots, paged: false };
    const problem = scatter.describe(inputs);
    const plan = await this.backend.plan(problem);
    await (plan as Plan).run(inputs);
  }

  /** Attention of one query, and how far it is from the reference: at most a few roundings. */
  async attend(
    query: HostTensor,
  ): Promise<{ readonly output: HostTensor; readonly error: number }> {
    const [batch] = this.key.shape as [number];
    const rules = {
      causal: true,
      kvLengths: new Int32Array(batch).fill(this.length),
      queryOffset: this.length - 1,
      returns: { logSumExp: true },
    };
    const inputs = { query, key: this.key, value: this.value, ...rules };
    const plan = await this.backend.plan(describeProblem(inputs));
    const outputs = (await plan.run(inputs)) as unknown as Record<string, DeviceTensor>;
    const output = await (outputs.output as DeviceTensor).read();
    for (const t of Object.values(outputs)) t.dispose();
    const host = { query, key: this.#keys, value: this.#values, ...rules };
    return { output, error: distance(output, referenceAttention(host).output) };
  }

  dispose(): void {
    this.key.dispose();
    this.value.dispose();
  }
}

export function distance(a: HostTensor, b: HostTensor): number {
  const [x, y] = [toFloat64(cast(a, "float64")), toFloat64(cast(b, "float64"))];
  let worst = x.length === y.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < x.length; i++) {
    worst = Math.max(worst, Math.abs((x[i] as number) - (y[i] as number)));
  }
  return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
}
