import {
  type AttentionOutputs,
  contiguous,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
} from "@heed/core";

/** Outputs of any operation in host memory, by name. */
export type HostOutputs = Readonly<Record<string, HostTensor>>;

/** A tensor's elements as bytes, row-major; a copy. */
export function bitsOf(t: HostTensor): Uint8Array {
  const dense = contiguous(t);
  const { data } = dense;
  const bytes = data.BYTES_PER_ELEMENT;
  const count = dense.shape.reduce((product, size) => product * size, 1);
  return new Uint8Array(data.buffer, data.byteOffset + dense.offset * bytes, count * bytes).slice();
}

export function sameBits(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const words = Math.floor(a.length / 4);
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const [left, right] = [inWords(a, words), inWords(b, words)];
    for (let i = 0; i < words; i++) if (left[i] !== right[i]) return false;
    for (let i = 4 * words; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function inWords({ buffer, byteOffset }: Uint8Array, count: number): Int32Array {
  return new Int32Array(buffer, byteOffset, count);
}

/** A copy of every output's bytes, by name. */
export type OutputBits = ReadonlyMap<string, Uint8Array>;

export function outputBits(outputs: HostOutputs | AttentionOutputs<HostTensor>): OutputBits {
  return new Map(Object.entries(outputs).map(([name, t]) => [name, bitsOf(t as HostTensor)]));
}

/** Names of the outputs that differ, or that only one side has. */
export function differing(a: OutputBits, b: OutputBits): string[] {
  const names = new Set([...a.keys(), ...b.keys()]);
  return [...names].filter((name) => {
    const [left, right] = [a.get(name), b.get(name)];
    return !left || !right || !sameBits(left, right);
  });
}

/** Outputs on the host, and only those that are there. */
export function toHost(outputs: AttentionOutputs): Promise<AttentionOutputs<HostTensor>>;
export function toHost(outputs: object): Promise<HostOutputs>;
export function toHost(outputs: object): Promise<object> {
  return readAll(outputs, () => {});
}

/** Outputs of any operation on the host, and only those that are there; device tensors are disposed. */
export function takeToHost(outputs: object): Promise<HostOutputs> {
  return readAll(outputs, (t) => {
    if (isDeviceTensor(t)) t.dispose();
  });
}

async function readAll(outputs: object, done: (t: Tensor) => void): Promise<HostOutputs> {
  const entries = Object.entries(outputs).filter(([, t]) => t !== undefined);
  const host = await Promise.all(
    entries.map(async ([name, t]) => {
      const read = isDeviceTensor(t) ? await t.read() : t;
      done(t);
      return [name, read];
    }),
  );
  return Object.fromEntries(host);
}
