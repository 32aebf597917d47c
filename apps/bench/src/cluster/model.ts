/** Speed of a group of machines and its network, in units of seconds and bytes. */
export interface ClusterConstants {
  /** Seconds from sending a small request to its answer, the server of NATS between them. */
  readonly roundTrip: number;
  /** Bytes a second that the client's link carries. */
  readonly linkBytes: number;
  /** Bytes of keys and values that a worker attends to in a second. */
  readonly memoryBytes: number;
  /** Seconds of the client's own work for a call, however many parts there are. */
  readonly perCall: number;
  /** Seconds of the client's own work for each part: encoding, reading, merging. */
  readonly perPart: number;
}

/** A model's sizes, as far as decoding one token depends on them. */
export interface ModelSizes {
  readonly layers: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Llama 3.1 8B. */
export const llama8b: ModelSizes = { layers: 32, queryHeads: 32, kvHeads: 8, headDim: 128 };

/** Bytes of one token's keys and values in one layer, in float32. */
export function bytesOfToken({ kvHeads, headDim }: ModelSizes): number {
  return kvHeads * headDim * 2 * 4;
}

/**
 * Seconds of attention for one token on so many machines, over a cache of so many tokens: for each layer a round trip, the client's own work,
 * the messages of all parts over the client's link, and the slowest part's keys, which are an equal share.
 */
export function secondsOfToken(
  model: ModelSizes,
  constants: ClusterConstants,
  machines: number,
  tokens: number,
): number {
  const { layers, queryHeads, headDim } = model;
  const { roundTrip, linkBytes, memoryBytes, perCall, perPart } = constants;
  const messages = machines * queryHeads * (2 * headDim + 1) * 4;
  const keys = Math.ceil(tokens / machines) * bytesOfToken(model);
  return (
    layers * (roundTrip + perCall + messages / linkBytes + machines * perPart + keys / memoryBytes)
  );
}

/** Keys of a layer from which so many machines are faster than one that has all of them. */
export function keysThatPay(
  model: ModelSizes,
  { roundTrip, linkBytes, memoryBytes, perCall, perPart }: ClusterConstants,
  machines: number,
): number {
  const messages = machines * model.queryHeads * (2 * model.headDim + 1) * 4;
  const cost = roundTrip + perCall + messages / linkBytes + machines * perPart;
  return (cost * memoryBytes) / bytesOfToken(model) / (1 - 1 / machines);
}
