import { InvalidInputError } from "../../errors.js";
import { isDeviceTensor, readTensor } from "../../tensor/host-tensor.js";
import type { Tensor } from "../../tensor/tensor.js";
import { slice } from "../../tensor/views.js";

/**
 * Keys and values of a past. Where the call writes into them, both are in host memory, or both in that of one
 * backend; elsewhere they may be on a device if the query is.
 *
 * @param shared whether new rows are written into them
 * @throws InvalidInputError
 */
export function readPastTensors(
  given: { readonly query: Tensor; readonly key: unknown; readonly value: unknown },
  shared: boolean,
): { readonly key: Tensor; readonly value: Tensor } {
  const past = {
    key: readTensor("past_key", given.key),
    value: readTensor("past_value", given.value),
  };
  const place = (t: Tensor): string =>
    isDeviceTensor(t) ? `a tensor of backend ${t.backend}` : "a host tensor";
  if (!shared) {
    for (const [name, t] of [
      ["past_key", past.key],
      ["past_value", past.value],
    ] as const) {
      if (!isDeviceTensor(t) || isDeviceTensor(given.query)) continue;
      const expected = "a host tensor, as the query, where past and present share no buffer";
      throw new InvalidInputError(name, expected, place(t));
    }
    return past;
  }
  const onDevice = isDeviceTensor(given.query);
  if (onDevice && !isDeviceTensor(past.key)) {
    const expected = `${place(given.query)}, as the query, where past and present share a buffer`;
    throw new InvalidInputError("past_key", expected, place(past.key));
  }
  if (place(past.key) === place(past.value)) return past;
  throw new InvalidInputError("past_value", `${place(past.key)}, as past_key`, place(past.value));
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
