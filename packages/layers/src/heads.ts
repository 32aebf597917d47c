import {
  type Attention,
  contiguous,
  fromFloat64,
  type HostTensor,
  isDeviceTensor,
  projection,
  reshape,
  scatter,
  type Tensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { copyRows, type Owned } from "@heed/core/owned";

/** `[B, H, L, S]` averaged over heads: `[B, L, S]`. */
export async function averaged(attention: Attention, t: Tensor, owned: Owned): Promise<Tensor> {
  const [batch, heads, length, keys] = t.shape as [number, number, number, number];
  if (!isDeviceTensor(t)) return averageOnHost(t);
  if (batch * length * keys === 0) {
    return attention.allocate(t.dtype, [batch, length, keys], { backend: t.backend });
  }
  // A projection from the axis of heads to a single output.
  const rows = length * keys;
  const input = owned.keep(
    t.view?.({
      shape: [batch, rows, heads],
      strides: [heads * rows, 1, rows],
      offset: t.offset ?? 0,
    }) as Tensor,
  );
  const mean = fromFloat64(new Float64Array(heads).fill(1 / heads), [1, heads], t.dtype);
  const weight = owned.keep(await attention.upload(mean, { backend: t.backend }));
  const { output } = await attention.apply(projection, { input, weight });
  return reshape(owned.keep(output), [batch, length, keys]) as Tensor;
}

function averageOnHost(t: HostTensor): HostTensor {
  const [batch, heads, length, keys] = t.shape as [number, number, number, number];
  const values = toFloat64(t);
  const block = length * keys;
  const mean = new Float64Array(batch * block);
  for (let at = 0; at < values.length; at++) {
    const b = Math.floor(at / (heads * block));
    const to = b * block + (at % block);
    mean[to] = (mean[to] as number) + (values[at] as number) / heads;
  }
  return fromFloat64(mean, [batch, length, keys], t.dtype);
}

/**
 * Rows of every batch entry after those of a tensor, in the memory of the tensor.
 *
 * @param t `[B, H, S, D]`
 * @param rows `[rows, H·D]`, in host memory
 * @returns `[B, H, S + rows, D]`
 */
export async function withRows(
  attention: Attention,
  t: Tensor,
  rows: HostTensor,
  owned: Owned,
): Promise<Tensor> {
  const [batch, heads, length, size] = t.shape as [number, number, number, number];
  const count = rows.shape[0] as number;
  const flat = contiguous(rows);
  // The same rows for each batch entry, by a stride of 0.
  const repeatedRows = tensor(flat.data, [batch, heads, count, size], {
    dtype: flat.dtype,
    strides: [0, size, heads * size, 1],
    offset: flat.offset,
  });
  const shape = [batch, heads, length + count, size];
  if (!isDeviceTensor(t)) {
    const [a, b] = [toFloat64(t), toFloat64(repeatedRows)];
    const all = new Float64Array(batch * heads * (length + count) * size);
    for (let head = 0; head < batch * heads; head++) {
      const to = head * (length + count) * size;
      all.set(a.subarray(head * length * size, (head + 1) * length * size), to);
      all.set(b.subarray(head * count * size, (head + 1) * count * size), to + length * size);
    }
    return fromFloat64(all, shape, t.dtype);
  }
  const target = owned.keep(attention.allocate(t.dtype, shape, { backend: t.backend }));
  await copyRows(attention, t, target);
  const slots = Int32Array.from({ length: batch * count }, (_, i) => length + (i % count));
  await attention.apply(scatter, { target, source: repeatedRows, slots, paged: false });
  return target;
}
