import { InvalidInputError } from "../../../errors.js";
import { readHostTensor } from "../../../tensor/host-tensor.js";
import { type HostTensor, tensor } from "../../../tensor/tensor.js";
import { fromFloat64, toFloat64 } from "../../../tensor/values.js";
import { broadcastTo } from "../../../tensor/views.js";

/** Sizes that a mask is read by. */
export interface PaddingSizes {
  readonly batch: number;
  readonly heads: number;
  readonly length: number;
  readonly total: number;
  /** Rows of the past. */
  readonly past: number;
  readonly causal: boolean;
}

/** `[batch, 1 or length, total]`, row-major: 1 for a key that may be attended to. */
export interface Attend {
  readonly values: Uint8Array;
  readonly rows: number;
}

/** Filter values from here down leave nothing of a key's weight beside keys that are not hidden. */
const hides = -10_000;

/**
 * The operator's padding as a mask, or as a bias together with the call's own: `mask_filter_value` is added
 * to what is hidden. A row of which everything is hidden has the same added to all of its logits, which
 * changes nothing: it sees every key.
 */
export function paddingOf(
  attend: Attend | undefined,
  filter: number,
  bias: HostTensor | undefined,
  sizes: PaddingSizes,
): { mask?: HostTensor; bias?: HostTensor } {
  if (attend === undefined) return bias === undefined ? {} : { bias };
  const { batch, length, total, past, causal } = sizes;
  if (filter > hides) return { bias: addFilter(attend, filter, bias, sizes) };
  // A row sees something where a key is not hidden that is not after it.
  const rows = causal ? length : attend.rows;
  const visible = new Uint8Array(batch * rows * total);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < rows; i++) {
      const from = (b * attend.rows + (attend.rows === 1 ? 0 : i)) * total;
      const own = attend.values.subarray(from, from + total);
      const end = causal ? Math.min(total, past + i + 1) : total;
      const to = (b * rows + i) * total;
      if (own.subarray(0, end).includes(1)) visible.set(own, to);
      else visible.fill(1, to, to + total);
    }
  }
  const mask = tensor(visible, [batch, 1, rows, total], { dtype: "bool" });
  return { mask, ...(bias !== undefined && { bias }) };
}

function addFilter(
  attend: Attend,
  filter: number,
  bias: HostTensor | undefined,
  { batch, heads, length, total }: PaddingSizes,
): HostTensor {
  const own = bias === undefined ? 1 : heads;
  const values = bias
    ? toFloat64(broadcastTo(bias, [batch, heads, length, total]) as HostTensor)
    : new Float64Array(batch * length * total);
  values.forEach((value, at) => {
    const row = Math.floor(at / total);
    const b = Math.floor(row / (length * own));
    const i = attend.rows === 1 ? 0 : row % length;
    const seen = attend.values[(b * attend.rows + i) * total + (at % total)];
    if (seen === 0) values[at] = value + filter;
  });
  return fromFloat64(values, [batch, own, length, total], bias?.dtype ?? "float32");
}

/**
 * The logits as onnxruntime returns them: with the filter value added to those of padding, and the lowest
 * float32 to those of keys after a query.
 */
export function filterLogits(
  logits: HostTensor,
  attend: Attend | undefined,
  filter: number,
  { heads, length, total, past, causal }: PaddingSizes,
): HostTensor {
  const lowest = -3.4028234663852886e38;
  // A filter that weakens is part of the bias already.
  const padding = filter > hides ? undefined : attend;
  if (padding === undefined && !causal) return logits;
  const values = toFloat64(logits);
  values.forEach((value, at) => {
    const key = at % total;
    const row = Math.floor(at / total);
    const i = row % length;
    const b = Math.floor(row / (length * heads));
    if (causal && key > past + i) values[at] = Math.max(lowest, value + lowest);
    else if (
      padding?.values[(b * padding.rows + (padding.rows === 1 ? 0 : i)) * total + key] === 0
    ) {
      values[at] = value + filter;
    }
  });
  return fromFloat64(values, logits.shape, logits.dtype);
}

/** @throws InvalidInputError naming `key_padding_mask` */
export function readAttend(
  given: HostTensor | undefined,
  { batch, length, total, past }: PaddingSizes,
): Attend | undefined {
  if (given === undefined) return undefined;
  const mask = readHostTensor("key_padding_mask", given);
  const wrong = (expected: string, actual: string) =>
    new InvalidInputError("key_padding_mask", expected, actual);
  if (mask.dtype !== "int32") throw wrong("dtype int32", mask.dtype);
  const { shape } = mask;
  const values = toFloat64(mask);
  if (shape.length === 1) {
    const starts = shape[0] === 3 * batch + 2;
    if (shape[0] !== batch && !starts) {
      throw wrong(`shape [${batch}] or [${3 * batch + 2}]`, `[${shape.join(", ")}]`);
    }
    const visible = new Uint8Array(batch * total);
    for (let b = 0; b < batch; b++) {
      const count = values[b] as number;
      if (count < 0 || count > total) throw wrong(`lengths from 0 to ${total}`, `${count}`);
      visible.fill(1, b * total, b * total + count);
    }
    for (let b = 0; starts && b <= batch; b++) {
      const [query, key] = [values[batch + b], values[2 * batch + 1 + b]];
      if (query !== b * length || key !== b * total) {
        throw wrong(
          `starts of a padded batch: ${b * length} and ${b * total} of entry ${b}`,
          `${query} and ${key}`,
        );
      }
    }
    return { values: visible, rows: 1 };
  }
  const rows = shape.length === 3 ? length : 1;
  const fits =
    (shape.length === 2 && shape[0] === batch && shape[1] === total) ||
    (shape.length === 3 && shape[0] === batch && shape[1] === length && shape[2] === total);
  if (!fits) {
    throw wrong(
      `shape [${batch}], [${3 * batch + 2}], [${batch}, ${total}] or [${batch}, ${length}, ${total}]${past > 0 ? ", over the past's keys too" : ""}`,
      `[${shape.join(", ")}]`,
    );
  }
  return { values: Uint8Array.from(values, (value) => (value === 0 ? 0 : 1)), rows };
}
