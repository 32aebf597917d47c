import {
  type BoundScatter,
  bytesPerElement,
  contiguous,
  type DType,
  type HostTensor,
  isDeviceTensor,
  type ScatterOutputs,
  scatterRows,
  storageOf,
  type Tensor,
  tensor,
  UnsupportedError,
} from "@heed/core";
import { typedArray } from "../message/reader.js";
import { encodeWrite } from "../message/requests.js";
import { requestId } from "../message/sending.js";
import type { Cluster } from "./cluster.js";
import { ofProcess, toHost } from "./host.js";
import { inTime } from "./patience.js";
import { SpreadStorage } from "./spread-storage.js";
import { tell } from "./tell.js";

/**
 * Writes rows where the parts are that they belong to. Tensors in this process are written here.
 *
 * @throws DeviceLostError (rejects) if no worker confirmed a write: its rows may be written or not, all others are as
 *   they were
 */
export async function scatterOver(cluster: Cluster, bound: BoundScatter): Promise<ScatterOutputs> {
  const { target, scales, outputs } = bound;
  const storage = isDeviceTensor(target) ? storageOf(target, SpreadStorage) : null;
  if (storage === null) {
    scatterRows({
      ...bound,
      target: ofProcess("target", target),
      source: await toHost(bound.source),
      scales: scales && ofProcess("scales", scales),
    });
    return outputs;
  }
  const until = cluster.deadline;
  const scaleStorage = scales === undefined ? null : wholeOf(scales, "scales", storage);
  wholeOf(target, "target", storage);
  // Before anything is awaited: the slots are the call's own already, the source may change.
  const source = rowsFirst(await toHost(bound.source));
  const { placement } = storage;
  const turn = placement.order.take(true);
  try {
    await inTime(turn.ready, until);
    await inTime(Promise.all([storage.ready, scaleStorage?.ready]), until);
    const byPart = splitSlots(bound, storage);
    await Promise.all(
      placement.parts.map(async (part) => {
        const rows = byPart[part.index] as PartRows;
        const most = rowsOfMessage(cluster, source);
        for (let start = 0; start < rows.slots.length; start += most) {
          await writeRows(part.index, {
            slots: rows.slots.slice(start, start + most),
            from: rows.from.slice(start, start + most),
          });
        }
      }),
    );
    return outputs;
  } finally {
    turn.end();
  }

  async function writeRows(index: number, rows: PartRows): Promise<void> {
    const spread = storage as SpreadStorage;
    const target = spread.version(index);
    const beside = scaleStorage?.version(index) ?? null;
    const version = Math.max(target.most, beside?.most ?? 0) + 1;
    const message = encodeWrite(cluster.options.group, requestId(), {
      target,
      scales: beside,
      version,
      slots: Int32Array.from(rows.slots),
      source: takeRows(source, rows.from),
    });
    const written = [spread, ...(scaleStorage ? [scaleStorage] : [])];
    for (const { versions } of written) {
      const before = versions[index] as (typeof versions)[number];
      versions[index] = { least: before.least, most: version };
    }
    await tell(cluster, placement.parts[index] as never, [message], until);
    for (const { versions } of written) versions[index] = { least: version, most: version };
  }
}

/** Rows of one part: slots there, and numbers of rows of the source. */
interface PartRows {
  readonly slots: number[];
  readonly from: number[];
}

function splitSlots({ slots }: BoundScatter, storage: SpreadStorage): readonly PartRows[] {
  const { stripes, parts } = storage.placement;
  const split = parts.map((): PartRows => ({ slots: [], from: [] }));
  for (const [from, slot] of slots.entries()) {
    if (slot === -1) continue;
    const entry = Math.floor(slot / stripes.length);
    const row = slot - entry * stripes.length;
    const part = stripes.partOf(row);
    const { slots: into, from: rows } = split[part] as PartRows;
    into.push(entry * stripes.rowsOf(part) + stripes.ownRow(row));
    rows.push(from);
  }
  return split;
}

/** @throws UnsupportedError for a view of a part of a tensor, or scales that lie elsewhere than their target */
function wholeOf(t: Tensor, argument: string, beside: SpreadStorage): SpreadStorage {
  const storage = isDeviceTensor(t) ? storageOf(t, SpreadStorage) : null;
  if (storage?.isWhole(t) && storage.placement === beside.placement) return storage;
  const reason = {
    code: "view",
    message: `${argument} is a view of a part of a tensor, or lies on other workers than its target`,
    hint: "write to the whole tensor, with scales of the same rows",
  };
  throw new UnsupportedError([{ backend: "cluster", reasons: [reason] }]);
}

/** Rows of a source, each with all of its heads. */
interface Rows {
  readonly dtype: DType;
  /** `[rows, heads, size]`, row-major. */
  readonly bytes: Uint8Array;
  readonly heads: number;
  readonly size: number;
  /** Bytes of one row of one head. */
  readonly each: number;
}

/** A copy of a source `[batch, heads, n, size]`. */
function rowsFirst(source: HostTensor): Rows {
  const [batch, heads, count, size] = source.shape as [number, number, number, number];
  const { data, offset, dtype } = contiguous(source) as HostTensor;
  const each = size * bytesPerElement(dtype);
  const start = data.byteOffset + offset * data.BYTES_PER_ELEMENT;
  const from = new Uint8Array(data.buffer, start, batch * heads * count * each);
  const bytes = new Uint8Array(from.length);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < count; i++) {
        const at = ((b * heads + h) * count + i) * each;
        bytes.set(from.subarray(at, at + each), ((b * count + i) * heads + h) * each);
      }
    }
  }
  return { dtype, bytes, heads, size, each };
}

/** Some of the rows as `[1, heads, rows, size]`. */
function takeRows({ dtype, bytes, heads, size, each }: Rows, rows: readonly number[]): HostTensor {
  const taken = new Uint8Array(heads * rows.length * each);
  for (let h = 0; h < heads; h++) {
    for (const [i, row] of rows.entries()) {
      const from = (row * heads + h) * each;
      taken.set(bytes.subarray(from, from + each), (h * rows.length + i) * each);
    }
  }
  return tensor(typedArray(dtype, taken.buffer), [1, heads, rows.length, size], { dtype });
}

/** Rows that go into one message. */
function rowsOfMessage({ transport }: Cluster, { heads, each }: Rows): number {
  const bytes = heads * each + 4;
  return Math.max(1, Math.floor((transport.maxPayload - 4096) / bytes));
}
