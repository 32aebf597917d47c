import {
  type AttentionInputs,
  broadcastTo,
  fromFloat64,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
  tensor,
  toFloat64,
} from "@heed/core";
import { bothMasks } from "./cache.js";
import type { LayerCall } from "./inputs.js";
import type { LayerOptions } from "./options.js";

/** The keys of each batch entry that are no padding. */
export interface Padding {
  /** `[B, S]`: 1 for a key that may be attended to; null if all may. */
  readonly rows: Uint8Array | null;
  /** How many keys each entry has before its padding; null unless all padding stands at the end. */
  readonly lengths: Int32Array | null;
}

export async function readPaddingRows({
  keyPadding,
  batch,
  keyLength,
}: LayerCall): Promise<Padding> {
  if (keyPadding === undefined) return { rows: null, lengths: null };
  const t = isDeviceTensor(keyPadding) ? await keyPadding.read() : keyPadding;
  const rows = Uint8Array.from(toFloat64(t), (value) => (value === 0 ? 0 : 1));
  if (!rows.includes(0)) return { rows: null, lengths: null };
  const lengths = new Int32Array(batch);
  for (let b = 0; b < batch; b++) {
    const row = rows.subarray(b * keyLength, (b + 1) * keyLength);
    const length = row.lastIndexOf(1) + 1;
    if (row.subarray(0, length).includes(0)) return { rows, lengths: null };
    lengths[b] = length;
  }
  return { rows, lengths };
}

type Places = Pick<AttentionInputs, "mask" | "kvLengths" | "queryOffset">;

/** Masks, lengths and positions of a call without a cache. */
export async function rulesOf(
  { mask, batch, keyLength }: LayerCall,
  { rows, lengths }: Padding,
  rules: LayerOptions["rules"],
): Promise<Places> {
  // Queries and keys count from 0.
  const offset = usesPositions(rules) ? { queryOffset: 0 } : {};
  if (lengths !== null) return { ...offset, ...(mask && { mask }), kvLengths: lengths };
  if (rows === null) return { ...offset, ...(mask && { mask }) };
  const padding = tensor(rows, [batch, 1, 1, keyLength], { dtype: "bool" });
  return { ...offset, mask: mask ? bothMasks(await read(mask), padding) : padding };
}

/**
 * The same where keys that every query sees follow those of the call: causal masks and windows become part of
 * the mask, and biases get columns of zeros.
 */
export async function withExtra(
  call: LayerCall,
  { rows }: Padding,
  rules: LayerOptions["rules"],
  extra: number,
): Promise<Partial<AttentionInputs>> {
  const { mask, bias, batch, length, keyLength } = call;
  const parts: HostTensor[] = [];
  if (mask) parts.push(await read(mask));
  if (rows) parts.push(tensor(rows, [batch, 1, 1, keyLength], { dtype: "bool" }));
  const { causal, window } = rules;
  if (causal || window) {
    const visible = Uint8Array.from({ length: length * keyLength }, (_, at) => {
      const [i, j] = [Math.floor(at / keyLength), at % keyLength];
      const seen =
        (!causal || j <= i) &&
        j >= i - (window?.left ?? Number.POSITIVE_INFINITY) &&
        j <= i + (window?.right ?? Number.POSITIVE_INFINITY);
      return seen ? 1 : 0;
    });
    parts.push(tensor(visible, [1, 1, length, keyLength], { dtype: "bool" }));
  }
  const whole = parts.length === 0 ? undefined : parts.reduce(bothMasks);
  return {
    causal: false,
    window: undefined,
    ...(rules.alibiSlopes !== undefined && { queryOffset: 0 }),
    ...(whole && { mask: withColumns(whole, keyLength, extra, 1) }),
    ...(bias && { bias: withColumns(await read(bias), keyLength, extra, 0) }),
  };
}

/** A mask or bias with more columns of one value. */
function withColumns(t: HostTensor, columns: number, extra: number, value: number): HostTensor {
  const wide = broadcastTo(t, [...t.shape.slice(0, -1), columns]) as HostTensor;
  const values = toFloat64(wide);
  const all = columns + extra;
  const rows = values.length / columns;
  const padded = new Float64Array(rows * all).fill(value);
  for (let row = 0; row < rows; row++) {
    padded.set(values.subarray(row * columns, (row + 1) * columns), row * all);
  }
  return fromFloat64(padded, [...t.shape.slice(0, -1), all], t.dtype);
}

function usesPositions({ causal, window, alibiSlopes }: LayerOptions["rules"]): boolean {
  return causal === true || window !== undefined || alibiSlopes !== undefined;
}

async function read(t: Tensor): Promise<HostTensor> {
  return isDeviceTensor(t) ? t.read() : t;
}
