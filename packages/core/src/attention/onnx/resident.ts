import { InvalidInputError } from "../../errors.js";
import { scatter } from "../../scatter/operation.js";
import type { Attention } from "../../select/attention.js";
import { isDeviceTensor, readHostTensor, readTensor } from "../../tensor/host-tensor.js";
import type { DeviceTensor, HostTensor, Tensor } from "../../tensor/tensor.js";
import { slice } from "../../tensor/views.js";
import { rowSlots, writeRows } from "./rows.js";

/** Whether a past is a buffer that its owner keeps in a backend's memory. */
export function isResident<P extends Tensor>(t: P): t is P & DeviceTensor {
  return isDeviceTensor(t);
}

/**
 * Keys and values of a past: both in host memory, or, where the call writes into them, both in the memory of
 * one backend.
 *
 * @param shared whether new rows are written into them
 * @throws InvalidInputError
 */
export function readPastTensors(
  key: unknown,
  value: unknown,
  shared: boolean,
): { readonly key: Tensor; readonly value: Tensor } {
  if (!shared) {
    return { key: readHostTensor("past_key", key), value: readHostTensor("past_value", value) };
  }
  const past = { key: readTensor("past_key", key), value: readTensor("past_value", value) };
  const place = (t: Tensor): string =>
    isDeviceTensor(t) ? `a tensor of backend ${t.backend}` : "a host tensor";
  if (place(past.key) === place(past.value)) return past;
  throw new InvalidInputError("past_value", `${place(past.key)}, as past_key`, place(past.value));
}

/** Writes consecutive rows into a buffer, where it is: see {@link writeRows}. */
export async function writeInto(
  attention: Pick<Attention, "apply">,
  target: Tensor,
  source: HostTensor,
  from: Int32Array,
): Promise<void> {
  if (!isDeviceTensor(target)) return writeRows(target, source, from);
  const slots = rowSlots(source, from);
  if (slots.length > 0) await attention.apply(scatter, { target, source, slots, paged: false });
}

/**
 * Runs attention on the first rows of a buffer.
 *
 * @param whole whether the call has lengths, so that the buffer itself can be given: steps of decoding then
 *   share a plan
 */
export async function withFirstRows<R>(
  key: Tensor,
  value: Tensor,
  rows: number,
  whole: boolean,
  run: (key: Tensor, value: Tensor) => Promise<R>,
): Promise<R> {
  if (whole && isDeviceTensor(key)) return run(key, value);
  const views = [slice(key, 2, 0, rows), slice(value, 2, 0, rows)] as [Tensor, Tensor];
  try {
    return await run(...views);
  } finally {
    for (const view of views) if (isDeviceTensor(view)) view.dispose();
  }
}

/** An output of a call, in host memory; one on a device is read and disposed. */
export async function toHost(t: Tensor): Promise<HostTensor> {
  if (!isDeviceTensor(t)) return t as HostTensor;
  try {
    return await t.read();
  } finally {
    t.dispose();
  }
}
