import {
  bytesPerElement,
  contiguous,
  type DeviceTensor,
  type DType,
  deviceTensor,
  elementCount,
  type HostTensor,
  OutOfMemoryError,
} from "@heed/core";
import { encodeCreate, encodeFill, encodeSeal } from "../message/requests.js";
import { chunkBytes, requestId } from "../message/sending.js";
import type { Cluster } from "./cluster.js";
import { copyOf, localTensor } from "./local-storage.js";
import { takePart } from "./read.js";
import { SpreadStorage } from "./spread-storage.js";
import { tell } from "./tell.js";
import { inWindow } from "./window.js";

/** Messages that are open at once, for each part. */
const window = 4;

/**
 * Whether a tensor may hold keys, values or their scales of a call that the workers compute; everything else stays in this
 * process.
 */
function isSpread({ members }: Cluster, dtype: DType, shape: readonly number[]): boolean {
  return (shape.length === 4 || shape.length === 3) && members.heldDTypes.has(dtype);
}

/**
 * Copies a tensor into the memory of the workers.
 *
 * @throws OutOfMemoryError, DeviceLostError (rejects)
 */
export async function upload(cluster: Cluster, t: HostTensor): Promise<DeviceTensor> {
  if (!isSpread(cluster, t.dtype, t.shape)) return localTensor(copyOf(t));
  // Before anything is awaited: the caller may change its array as soon as it has the promise.
  const dense = copyOf(contiguous(t) as HostTensor);
  const { data } = dense;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const storage = make(cluster, t.dtype, t.shape);
  const made = deviceTensor(storage, { dtype: t.dtype, shape: [...t.shape] });
  storage.ready = place(storage, bytes);
  try {
    await storage.ready;
    return made;
  } catch (error) {
    made.dispose();
    throw error;
  }
}

/**
 * A tensor of zeros in the memory of the workers, which are asked to make it; calls with it wait for that.
 *
 * @throws OutOfMemoryError if the workers had too little free memory when they last told of it; if it turns out later
 *   that they have, the first call with the tensor rejects
 */
export function allocateZeros(
  cluster: Cluster,
  dtype: DType,
  shape: readonly number[],
  zeros: (dtype: DType, shape: readonly number[]) => HostTensor,
): DeviceTensor {
  if (!isSpread(cluster, dtype, shape)) return localTensor(zeros(dtype, shape));
  const storage = make(cluster, dtype, shape);
  storage.ready = place(storage, null);
  storage.ready.catch(() => undefined);
  return deviceTensor(storage, { dtype, shape: [...shape] });
}

function make(cluster: Cluster, dtype: DType, shape: readonly number[]): SpreadStorage {
  const placement = cluster.placementFor(shape[0] as number, shape[2] as number);
  const { replicas } = cluster.options;
  const bytes = elementCount(shape) * bytesPerElement(dtype) * replicas;
  const free = cluster.members.live.reduce(
    (sum, { beat }) => sum + beat.memoryBytes - beat.usedBytes,
    0,
  );
  if (bytes > free) {
    if (placement.tensors.size === 0) cluster.placements.delete(placement);
    const copies = replicas === 1 ? "" : ` in ${replicas} copies`;
    throw new OutOfMemoryError(
      "cluster",
      `${bytes} bytes${copies} are more than the ${free} that the workers have free`,
    );
  }
  return new SpreadStorage(cluster, dtype, [...shape], placement);
}

/** @param whole bytes of the tensor; null for zeros */
async function place(storage: SpreadStorage, whole: Uint8Array | null): Promise<void> {
  const { cluster, placement, dtype } = storage;
  const { group } = cluster.options;
  const turn = placement.order.take(true);
  try {
    await turn.ready;
    await Promise.all(
      placement.parts.map(async (part) => {
        for (const member of part.replicas) storage.holders.add(member);
        const name = storage.name(part.index);
        const shape = storage.partShape(part.index);
        const { stripes } = placement;
        const making = { name, dtype, shape, stripes, filled: whole !== null };
        const create = encodeCreate(group, requestId(), making);
        await tell(cluster, part, [create], cluster.deadline);
        if (whole === null) return;
        const bytes = takePart(storage, part.index, whole);
        const chunk = chunkBytes(cluster.transport.maxPayload);
        const starts = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) => i * chunk);
        await inWindow(starts, window, async (start) => {
          const piece = { name, start, bytes: bytes.subarray(start, start + chunk) };
          await tell(cluster, part, [encodeFill(group, requestId(), piece)], cluster.deadline);
        });
        await tell(cluster, part, [encodeSeal(group, requestId(), name)], cluster.deadline);
      }),
    );
    storage.placed = true;
  } finally {
    turn.end();
    // It was disposed before all of its parts were made.
    if (storage.released) cluster.release(storage);
  }
}
