import { type HostTensor, tensor } from "heed";

/** Weights and sizes of a model, as llama2.c saves them (its first format). */
export interface Checkpoint {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Most tokens of a text. */
  readonly length: number;
  /** `[vocabulary, dim]`; it is the last layer's weight as well. */
  readonly embedding: HostTensor<"float32">;
  readonly layers: readonly LayerWeights[];
  readonly norm: Float32Array;
}

/** Weights of a layer: `[out, in]`, and norms `[dim]`. */
export interface LayerWeights {
  readonly attentionNorm: Float32Array;
  readonly query: HostTensor<"float32">;
  readonly key: HostTensor<"float32">;
  readonly value: HostTensor<"float32">;
  readonly output: HostTensor<"float32">;
  readonly forwardNorm: Float32Array;
  readonly gate: HostTensor<"float32">;
  readonly down: HostTensor<"float32">;
  readonly up: HostTensor<"float32">;
}

/** Reads a checkpoint: seven sizes, then the weights, each for all layers. */
export function readCheckpoint(file: ArrayBuffer): Checkpoint {
  const [dim, hidden, layers, heads, kvHeads, vocabulary, length] = new Int32Array(file, 0, 7);
  const headDim = dim / heads;
  const kvDim = kvHeads * headDim;
  let at = 7 * 4;
  const take = (count: number): Float32Array => {
    const values = new Float32Array(file, at, count);
    at += 4 * count;
    return values;
  };
  const each = <T>(read: () => T): T[] => Array.from({ length: layers }, read);
  const matrix = (out: number, inputs: number) => tensor(take(out * inputs), [out, inputs]);
  const embedding = matrix(vocabulary, dim);
  const attentionNorm = each(() => take(dim));
  const query = each(() => matrix(dim, dim));
  const key = each(() => matrix(kvDim, dim));
  const value = each(() => matrix(kvDim, dim));
  const output = each(() => matrix(dim, dim));
  const forwardNorm = each(() => take(dim));
  const gate = each(() => matrix(hidden, dim));
  const down = each(() => matrix(dim, hidden));
  const up = each(() => matrix(hidden, dim));
  const parts = { attentionNorm, query, key, value, output, forwardNorm, gate, down, up };
  const layer = (i: number) =>
    Object.fromEntries(Object.entries(parts).map(([name, of]) => [name, of[i]]));
  return {
    heads,
    kvHeads,
    headDim,
    length,
    embedding,
    layers: Array.from({ length: layers }, (_, i) => layer(i) as unknown as LayerWeights),
    norm: take(dim),
  };
}

/** Text of each token, of a tokenizer file: the longest one's length, then score, length and bytes of each. */
export function readVocabulary(file: ArrayBuffer): readonly string[] {
  const view = new DataView(file);
  const pieces: string[] = [];
  for (let at = 4; at < file.byteLength; ) {
    const length = view.getInt32(at + 4, true);
    const piece = new TextDecoder().decode(new Uint8Array(file, at + 8, length));
    const byte = /^<0x([0-9A-F]{2})>$/.exec(piece)?.[1];
    pieces.push(byte === undefined ? piece : String.fromCharCode(Number.parseInt(byte, 16)));
    at += 8 + length;
  }
  return pieces;
}
