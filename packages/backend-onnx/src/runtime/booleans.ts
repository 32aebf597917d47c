import { type HostTensor, tensor } from "@heed/core";

/**
 * A bool tensor in which true is 1. Any byte but 0 means true, but onnxruntime's And and Where take
 * bytes other than 0 and 1 for false, depending on the operands' shapes; see `test/runtime-defects.node.test.ts`.
 *
 * @param t row-major
 * @returns the tensor itself if it holds 0 and 1 only, else a copy
 */
export function zeroOrOne(t: HostTensor): HostTensor {
  const { data, offset, shape } = t;
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = new Uint8Array(data.buffer, data.byteOffset + offset, count);
  if (onlyZeroOrOne(bytes)) return t;
  return tensor(
    bytes.map((byte) => (byte === 0 ? 0 : 1)),
    shape,
    { dtype: "bool" },
  );
}

/** Four bytes at a time, since masks can be as large as the logits. */
function onlyZeroOrOne(bytes: Uint8Array): boolean {
  const { buffer, byteOffset, length } = bytes;
  const wordsFrom = Math.min(length, (4 - (byteOffset % 4)) % 4);
  const words =
    length > wordsFrom + 4
      ? new Uint32Array(buffer, byteOffset + wordsFrom, (length - wordsFrom) >> 2)
      : new Uint32Array(0);
  let others = 0;
  for (let i = 0; i < words.length; i++) others |= words[i] as number;
  let ends = 0;
  for (let i = 0; i < wordsFrom; i++) ends |= bytes[i] as number;
  for (let i = wordsFrom + words.length * 4; i < length; i++) ends |= bytes[i] as number;
  return (others & ~0x01010101) === 0 && ends <= 1;
}
