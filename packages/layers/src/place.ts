import {
  type Attention,
  cast,
  contiguous,
  elementCount,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  isHeedError,
  projection,
  slice,
  type Tensor,
  type TypedArray,
  tensor,
  zeros,
} from "@heed/core";
import type { HeadNorm, LayerOptions, LayerWeights, Linear } from "./options.js";

/** Projections that a call can choose from, in one memory. */
export interface PlacedWeights {
  /** Name of the backend whose memory they are in; null for host memory. */
  readonly backend: string | null;
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  /** Key and value at once, where both project the same input. */
  readonly keyValue: Linear | null;
  /** Query, key and value at once. */
  readonly all: Linear | null;
  /** Tables of cosines and sines, where `rotary` has them. */
  readonly tables: { readonly cos: Tensor; readonly sin: Tensor } | null;
  /** Norms of the head vectors, with weights of the layer's dtype. */
  readonly queryNorm: PlacedNorm | null;
  readonly keyNorm: PlacedNorm | null;
  dispose(): void;
}

/** A norm whose weight is in the memory of the others. */
export interface PlacedNorm {
  readonly weight: Tensor;
  readonly epsilon: number;
}

/**
 * The backend whose memory a layer on host tensors should use: the one that runs its projections, if it has
 * memory; null: host memory.
 */
export async function preferredBackend(
  attention: Attention,
  { weights, dtype }: LayerOptions,
): Promise<string | null> {
  const { weight } = weights.query;
  const given = Object.values(weights as object as Record<string, Linear>).find((linear) =>
    isDeviceTensor(linear.weight),
  );
  if (given !== undefined) return (given.weight as { backend: string }).backend;
  const row = [1, 1, weight.shape[1] as number];
  const problem = projection.describe({ input: repeated(dtype, row), weight });
  const { backend } = await attention.prepare(problem);
  if (backend === null) return null;
  try {
    attention.allocate(dtype, [1], { backend }).dispose();
    return backend;
  } catch (error) {
    if (isHeedError(error, "unsupported")) return null;
    throw error;
  }
}

/** A tensor of one zero that strides of 0 repeat. */
export function repeated(dtype: Tensor["dtype"], shape: readonly number[]): HostTensor {
  const { data } = zeros(dtype, [1]);
  return tensor(data as TypedArray, shape, { dtype, strides: shape.map(() => 0), offset: 0 });
}

/**
 * The weights in a memory: uploaded if they are in host memory. Projections of the same input lie together,
 * so that one call computes them.
 *
 * @param backend null for host memory
 * @throws InvalidInputError for weights on another device; what `attention.upload` throws
 */
export async function placeWeights(
  attention: Attention,
  options: LayerOptions,
  backend: string | null,
): Promise<PlacedWeights> {
  const { weights, rotary, dtype } = options;
  const owned: Tensor[] = [];
  const dispose = (): void => {
    for (const t of owned) if (isDeviceTensor(t)) t.dispose();
  };
  const put = async <T extends Tensor>(t: T): Promise<Tensor> => {
    if (isDeviceTensor(t)) {
      if (t.backend === backend) return t;
      throw new InvalidInputError(
        "query",
        `a tensor in the memory of the weights, of backend ${t.backend}`,
        backend === null ? "host memory" : `one of backend ${backend}`,
      );
    }
    if (backend === null) return t;
    const uploaded = await attention.upload(t as HostTensor, { backend });
    owned.push(uploaded);
    return uploaded;
  };
  const view = (t: Tensor, from: number, to: number): Tensor => {
    const made = slice(t, 0, from, to) as Tensor;
    owned.push(made);
    return made;
  };
  try {
    const linear = async ({ weight, bias }: Linear): Promise<Linear> => ({
      weight: await put(weight),
      ...(bias && { bias: await put(bias) }),
    });
    const output = await linear(weights.output);
    const tables =
      rotary?.cos && rotary.sin ? { cos: await put(rotary.cos), sin: await put(rotary.sin) } : null;
    const norm = async (given: Required<HeadNorm> | undefined): Promise<PlacedNorm | null> =>
      given === undefined
        ? null
        : { weight: await put(cast(given.weight, dtype)), epsilon: given.epsilon };
    const [queryNorm, keyNorm] = [await norm(options.queryNorm), await norm(options.keyNorm)];
    const shared = { backend, output, tables, queryNorm, keyNorm, dispose };
    const packed = backend === null ? null : pack(weights);
    if (packed === null) {
      const [query, key, value] = [
        await linear(weights.query),
        await linear(weights.key),
        await linear(weights.value),
      ];
      return { ...shared, query, key, value, keyValue: null, all: null };
    }
    const all = await linear(packed);
    const sizes = [weights.query, weights.key, weights.value].map(
      ({ weight }) => weight.shape[0] as number,
    ) as [number, number, number];
    const rows = (from: number, to: number): Linear => ({
      weight: view(all.weight, from, to),
      ...(all.bias && { bias: view(all.bias, from, to) }),
    });
    const [q, k, v] = sizes;
    return {
      ...shared,
      query: rows(0, q),
      key: rows(q, q + k),
      value: rows(q + k, q + k + v),
      keyValue: rows(q, q + k + v),
      all,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Query, key and value one below the other; null where they project inputs of different sizes. */
function pack({ query, key, value }: LayerWeights): Linear | null {
  const parts = [query, key, value];
  const width = query.weight.shape[1] as number;
  const fits = parts.every(
    ({ weight, bias }) =>
      !isDeviceTensor(weight) && !(bias && isDeviceTensor(bias)) && weight.shape[1] === width,
  );
  if (!fits) return null;
  const rows = parts.map(({ weight }) => weight.shape[0] as number);
  const all = rows.reduce((sum, count) => sum + count, 0);
  const weight = zeros(query.weight.dtype, [all, width]);
  const bias = parts.some((part) => part.bias) ? zeros(query.weight.dtype, [all]) : null;
  let first = 0;
  let firstBias = 0;
  for (const [i, part] of parts.entries()) {
    const bytes = bytesOf(part.weight as HostTensor);
    bytesOf(weight).set(bytes, first);
    first += bytes.length;
    if (bias === null) continue;
    const size = bytesOf(bias).length / all;
    if (part.bias) bytesOf(bias).set(bytesOf(part.bias as HostTensor), firstBias);
    firstBias += (rows[i] as number) * size;
  }
  return { weight, ...(bias && { bias }) };
}

/** The elements in row-major order as bytes; of a row-major tensor, its own. */
function bytesOf(t: HostTensor): Uint8Array {
  const { data, offset, shape } = contiguous(t);
  const { buffer, byteOffset, BYTES_PER_ELEMENT: size } = data as TypedArray;
  return new Uint8Array(buffer, byteOffset + offset * size, elementCount(shape) * size);
}
