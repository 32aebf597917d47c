import { allocate, type DType, type HostTensor, tensor } from "@heed/core";
import { MalformedMessageError } from "../message/errors.js";
import { encodeRead } from "../message/requests.js";
import { chunkBytes, requestId } from "../message/sending.js";
import { ask } from "./ask.js";
import type { Cluster } from "./cluster.js";
import { inTime } from "./patience.js";
import type { PlacedTensor } from "./placement.js";
import { inWindow } from "./window.js";

/** A tensor that workers hold, as far as its elements go. */
export interface SpreadTensor extends PlacedTensor {
  readonly cluster: Cluster;
  readonly dtype: DType;
  /** `[entries, heads, rows, size]`, or without the last axis. */
  readonly shape: readonly number[];
  /** Bytes of one row of one head. */
  readonly rowBytes: number;
  /** Resolves when every part is there. */
  readonly ready: Promise<void>;
}

/** Requests that are open at once. */
const window = 8;

/**
 * Reads a whole tensor from the workers.
 *
 * @returns a row-major tensor that belongs to the caller
 * @throws DeviceLostError (rejects)
 */
export async function readSpread(storage: SpreadTensor): Promise<HostTensor> {
  const { placement, cluster, dtype, shape } = storage;
  const turn = placement.order.take(false);
  try {
    await inTime(turn.ready, cluster.deadline);
    await storage.ready;
    const count = shape.reduce((product, size) => product * size, 1);
    const data = allocate(dtype, count);
    const whole = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (const part of placement.parts) {
      const bytes = await readPart(storage, part.index);
      placePart(storage, part.index, bytes, whole);
    }
    return tensor(data, [...shape], { dtype });
  } finally {
    turn.end();
  }

  async function readPart(of: SpreadTensor, index: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(of.partBytes(index));
    const chunk = chunkBytes(cluster.transport.maxPayload);
    const starts = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) => i * chunk);
    await inWindow(starts, window, async (start) => {
      const length = Math.min(chunk, bytes.length - start);
      const request = { part: of.version(index), start, length };
      const message = encodeRead(cluster.options.group, requestId(), request);
      const place = placement.parts[index] as (typeof placement.parts)[number];
      const piece = await ask(cluster, place, message, cluster.deadline, (answer) => {
        const found = answer.bytes();
        if (found.byteLength !== length) throw new MalformedMessageError("a piece of other size");
        return found;
      });
      bytes.set(piece, start);
    });
    return bytes;
  }
}

/** Copies the rows of a part to their places in the whole tensor. */
function placePart(
  { shape, placement, rowBytes }: SpreadTensor,
  part: number,
  from: Uint8Array,
  to: Uint8Array,
): void {
  const [entries, heads, length] = shape as [number, number, number];
  const { stripes } = placement;
  const own = stripes.rowsOf(part);
  for (let of = 0; of < entries * heads; of++) {
    stripes.forEachRun(part, (row, ownRow, run) => {
      const start = (of * own + ownRow) * rowBytes;
      to.set(from.subarray(start, start + run * rowBytes), (of * length + row) * rowBytes);
    });
  }
}

/** The rows of a part out of a whole tensor. */
export function takePart(
  { shape, placement, rowBytes }: SpreadTensor,
  part: number,
  from: Uint8Array,
): Uint8Array {
  const [entries, heads, length] = shape as [number, number, number];
  const { stripes } = placement;
  const own = stripes.rowsOf(part);
  const bytes = new Uint8Array(entries * heads * own * rowBytes);
  for (let of = 0; of < entries * heads; of++) {
    stripes.forEachRun(part, (row, ownRow, run) => {
      const start = (of * length + row) * rowBytes;
      bytes.set(from.subarray(start, start + run * rowBytes), (of * own + ownRow) * rowBytes);
    });
  }
  return bytes;
}
