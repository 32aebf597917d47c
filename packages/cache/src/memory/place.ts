import {
  type Attention,
  type AttentionInputs,
  attention as attentionOperation,
  broadcastTo,
  contiguous,
  type DType,
  type FloatDType,
  type HostTensor,
  InvalidInputError,
  isHeedError,
  type Tensor,
  tensor,
  transpose,
  UnsupportedError,
  zeros,
} from "@heed/core";
import type { CacheSizes } from "../options.js";
import type { PlaceInputs } from "../state/state.js";

/** The memory that a cache is in. */
export interface Place {
  readonly attention: Attention;
  /** Name of the backend whose memory it is; null for host memory. */
  readonly backend: string | null;
}

/**
 * The backend that would run the calls of a cache.
 *
 * @param inputs of a call on the cache, without query, key and value
 * @throws UnsupportedError (rejects) if there is none
 */
export async function backendFor(
  attention: Attention,
  sizes: CacheSizes,
  inputs: PlaceInputs,
): Promise<string> {
  const problem = attentionOperation.describe(probe(sizes, inputs, "float32"));
  let { backend, others } = attention.explain(problem);
  if (backend === null && sizes.dtype !== "float32") {
    // Some backends compute with float16 keys where the query is float16, too.
    const half = attentionOperation.describe(probe(sizes, inputs, "float16"));
    ({ backend } = attention.explain(half));
  }
  if (backend === null) {
    // Backends that were not tried yet are loaded by whoever asks for their kernels.
    ({ backend, others } = await attention.prepare(problem));
  }
  if (backend === null) throw new UnsupportedError(others);
  return backend;
}

/** A call of one row on keys and values that take no memory: their strides are 0. */
function probe(sizes: CacheSizes, inputs: PlaceInputs, queryDType: FloatDType): AttentionInputs {
  const { batch, kvHeads, headDim, valueDim, dtype } = sizes;
  const [entries, rows] = tensorShape(sizes);
  const empty = (type: DType, shape: readonly number[]) =>
    broadcastTo(zeros(type, new Array(shape.length).fill(1)), shape);
  return {
    query: empty(queryDType, [batch, kvHeads, 1, headDim]),
    key: empty(dtype, [entries, kvHeads, rows, headDim]),
    value: empty(dtype, [entries, kvHeads, rows, valueDim]),
    ...(dtype === "int8" && {
      keyScales: empty("float32", [entries, kvHeads, rows]),
      valueScales: empty("float32", [entries, kvHeads, rows]),
    }),
    ...inputs,
    causal: true,
  };
}

/** Batch entries or pages of a cache's tensors, and rows of each. */
export function tensorShape({ kind, batch, capacity, pageSize }: CacheSizes): [number, number] {
  return kind === "paged" ? [capacity / pageSize, pageSize] : [batch, capacity];
}

/**
 * The destination of rows of keys and values.
 *
 * @param name of the backend that runs the calls
 * @returns host memory where the backend has none
 */
export function placeOf(attention: Attention, name: string): Place {
  try {
    attention.allocate("float32", [0], { backend: name }).dispose();
    return { attention, backend: name };
  } catch (error) {
    if (isHeedError(error, "unsupported")) return { attention, backend: null };
    throw error;
  }
}

/** A tensor of zeros in a place: of batch entries, or of pages. */
export function allocateIn(
  { attention, backend }: Place,
  dtype: DType,
  shape: readonly number[],
  paged: boolean,
): Tensor {
  if (backend !== null) return attention.allocate(dtype, shape, { backend });
  if (!paged) return zeros(dtype, shape);
  const [pages, heads, ...page] = shape as [number, number, ...number[]];
  return headsAndPages(zeros(dtype, [heads, pages, ...page]));
}

/**
 * `[pages, heads, …]` as `[heads, pages, …]`, and the other way round: a view. Pages in host memory lie in the latter order, in
 * which a sequence that has the pool to itself lies as an entry of a batch does.
 */
function headsAndPages(t: HostTensor): HostTensor {
  return transpose(t, [1, 0, 2, 3].slice(0, t.shape.length));
}

/**
 * A host tensor as a tensor in a place; it is not copied if it is there.
 *
 * @param paged whether it is of pages, which lie in host memory as {@link allocateIn} makes them
 */
export async function putInto(
  { attention, backend }: Place,
  t: HostTensor,
  paged = false,
): Promise<Tensor> {
  if (backend !== null) return attention.upload(t, { backend });
  return paged ? headsAndPages(contiguous(headsAndPages(t))) : t;
}

/** @throws InvalidInputError unless a tensor can be written into the cache without going through the host */
export function checkPlace(argument: string, t: Tensor, { backend }: Place): void {
  if (!("backend" in t) || t.backend === backend) return;
  const expected = backend === null ? "a host tensor" : `a host tensor, or one of ${backend}`;
  throw new InvalidInputError(argument, expected, `a tensor of backend ${t.backend}`);
}

/** An int32 tensor of numbers. */
export function integers(values: Int32Array): HostTensor<"int32"> {
  return tensor(values, [values.length]);
}
