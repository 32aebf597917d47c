import {
  type AttentionInputs,
  type AttentionReturns,
  checkTensor,
  type DeviceTensor,
  describeValue,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  type ScoresKind,
  type Tensor,
  toFloat64,
} from "@heed/core";
import { reading } from "@heed/core/options";
import { checkCache, type LayerCache, type Programs } from "./cache.js";
import { checkShape, readMembers } from "./check.js";
import type { LayerOptions } from "./options.js";

/** Further results of a layer's call. */
export interface LayerReturns {
  /** `true`: of each head. `"average"`: the mean over heads, as PyTorch returns them by default. */
  readonly weights?: boolean | "average" | undefined;
  readonly logSumExp?: boolean | undefined;
  readonly scores?: ScoresKind | undefined;
}

/** One call of a layer. B is the batch, L the number of queries, S that of keys; without `key`, S is L. */
export interface LayerInputs<Query extends Tensor = Tensor> {
  /** `[B, L, in]`, of the weights' dtype. */
  readonly query: Query;
  /** `[B, S, in of the key]`. Default: the query, which is self-attention. */
  readonly key?: Tensor | undefined;
  /** `[B, S, in of the value]`. Default: the key. */
  readonly value?: Tensor | undefined;
  /**
   * Keys and values of the tokens before, to which those of the call are appended; positions go on where it
   * ends. A call that fails leaves it as it was, but for a rolling cache that has given up rows by then.
   */
  readonly cache?: LayerCache | undefined;
  /**
   * `false`: queries attend to what the cache holds, and nothing is appended; without `key`, `value` and
   * `keyPadding`. Cross-attention appends the encoder's tokens once, and later calls only attend. Default true.
   */
  readonly append?: boolean | undefined;
  /**
   * bool `[B, S]`, true = may be attended to. (PyTorch's `key_padding_mask` is the other way round.) With a
   * cache, padding stands after an entry's tokens, and is not appended.
   */
  readonly keyPadding?: Tensor | undefined;
  /**
   * bool, true = attend; broadcasts to `[B, queryHeads, L, S]`. With a cache, the last axis is that of the
   * tokens so far, those of the call included.
   */
  readonly mask?: Tensor | undefined;
  /** Added to the logits, of the weights' dtype or float32; shapes as `mask`. */
  readonly bias?: Tensor | undefined;
  /**
   * A program that says which keys a query sees, of `maskMod` of `@heed/core/program`. It goes by the order of
   * tokens, whatever `positions` says; with a cache, the query's rows are the last of its tokens. Neither this
   * nor the next two beside `extra` keys.
   */
  readonly maskMod?: AttentionInputs["maskMod"];
  /** A program that gives each score a new value, of `scoreMod`; positions as of `maskMod`. */
  readonly scoreMod?: AttentionInputs["scoreMod"];
  /**
   * Blocks of queries and keys to look at, of `createBlockMask` or data. With a cache, the keys are all of its
   * rows, and a call that appends has the cache's `positions` as `queryOffset`. Not beside a rolling cache.
   */
  readonly blockMask?: AttentionInputs["blockMask"];
  /**
   * int32 `[B, L]`, or `[L]` for all entries: positions by which `rotary` turns queries, and in self-attention
   * keys. Default: 0, 1, 2 …, or with a cache that is appended to, from where it ends. Causal masks and windows go by the order of
   * tokens, whatever stands here.
   */
  readonly positions?: HostTensor | Int32Array | readonly number[] | undefined;
  readonly returns?: LayerReturns | undefined;
}

/** The results of a layer's call: where the query is, in host memory or on a device. */
export interface LayerOutputs<Query extends Tensor = Tensor> {
  /** `[B, L, out]`. */
  readonly output: Place<Query>;
  /**
   * `[B, queryHeads, L, S]`, or averaged `[B, L, S]`. With a cache, S is the number of its rows; with `extra`
   * keys, they stand last.
   */
  readonly weights?: Place<Query>;
  /** `[B, queryHeads, L]`. */
  readonly logSumExp?: Place<Query>;
  /** `[B, queryHeads, L, S]`. */
  readonly scores?: Place<Query>;
  /** The backend that computed attention. */
  readonly backend: string;
}

type Place<Query extends Tensor> = Query extends HostTensor
  ? HostTensor
  : Query extends DeviceTensor
    ? DeviceTensor
    : Tensor;

/** A call whose tensors have the shapes that they should have. */
export interface LayerCall {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly batch: number;
  /** Rows of the query. */
  readonly length: number;
  /** Rows of the key. */
  readonly keyLength: number;
  readonly cache: LayerCache | undefined;
  /** Whether key and value go into the cache; if not, they are the query's, and nobody reads them. */
  readonly appends: boolean;
  readonly keyPadding: Tensor | undefined;
  readonly mask: Tensor | undefined;
  readonly bias: Tensor | undefined;
  /** Programs and block mask, which attention itself checks. */
  readonly programs: Programs;
  readonly positions: Int32Array | undefined;
  readonly returns: AttentionReturns;
  readonly average: boolean;
}

const inputNames = [
  "query",
  "key",
  "value",
  "cache",
  "append",
  "keyPadding",
  "mask",
  "bias",
  "maskMod",
  "scoreMod",
  "blockMask",
  "positions",
  "returns",
] as const;

/** @throws InvalidInputError naming the input at fault, DisposedError */
export function readLayerCall(given: unknown, options: LayerOptions): LayerCall {
  const inputs = readMembers<LayerInputs>("inputs", given, inputNames);
  const { weights, dtype } = options;
  const width = (name: "query" | "key" | "value") => weights[name].weight.shape[1] as number;
  const query = checkShape("query", inputs.query, [null, null, width("query")], "[B, L, in]");
  const [batch, length] = query.shape as [number, number];
  const other = (name: "key" | "value", from: Tensor, rows: number | null): Tensor => {
    const t = inputs[name] ?? from;
    return checkShape(name, t, [batch, rows, width(name)], `[B, S, in of the ${name}]`);
  };
  // Without an append there are neither, whatever sizes the layer has for them.
  const attends = inputs.append === false;
  const key = attends ? query : other("key", query, null);
  const keyLength = key.shape[1] as number;
  const value = attends ? query : other("value", key, keyLength);
  for (const [name, t] of Object.entries({ query, key, value })) {
    if (t.dtype !== dtype) {
      throw new InvalidInputError(name, `the weights' dtype ${dtype}`, t.dtype);
    }
  }
  const turns = options.rotary !== undefined;
  const cache = inputs.cache === undefined ? undefined : checkCache(inputs.cache, turns);
  const appends = readAppend(inputs);
  if (cache !== undefined && options.extra !== undefined) {
    throw new InvalidInputError("cache", "nothing beside extra keys", "a cache");
  }
  return {
    query,
    key,
    value,
    batch,
    length,
    keyLength,
    cache,
    appends,
    keyPadding: readPadding(inputs.keyPadding, batch, keyLength),
    mask: readOptionalTensor("mask", inputs.mask),
    bias: readOptionalTensor("bias", inputs.bias),
    programs: readPrograms(inputs, options, cache),
    positions: readPositions(inputs.positions, batch, length),
    ...readReturns(inputs.returns),
  };
}

/** @throws InvalidInputError for programs beside extra keys, and blocks beside rows that are no positions */
function readPrograms(
  { maskMod, scoreMod, blockMask }: Partial<LayerInputs>,
  { extra }: LayerOptions,
  cache: LayerCache | undefined,
): Programs {
  const programs: Programs = {
    ...(maskMod !== undefined && { maskMod }),
    ...(scoreMod !== undefined && { scoreMod }),
    ...(blockMask !== undefined && { blockMask }),
  };
  const [first] = Object.keys(programs);
  if (first !== undefined && extra !== undefined) {
    throw new InvalidInputError(first, "nothing beside extra keys", "a program or blocks");
  }
  if (blockMask !== undefined && cache?.kind === "rolling") {
    const expected = "nothing beside a rolling cache, whose rows are no positions";
    throw new InvalidInputError("blockMask", expected, "blocks");
  }
  return programs;
}

/** @throws InvalidInputError for an append without a cache, or tokens beside `append: false` */
function readAppend({ append, cache, ...inputs }: Partial<LayerInputs>): boolean {
  if (append === undefined) return true;
  if (typeof append !== "boolean") {
    throw new InvalidInputError("append", "a boolean", describeValue(append));
  }
  if (append) return true;
  if (cache === undefined) {
    throw new InvalidInputError("append", "a cache to attend to, where it is false", "no cache");
  }
  for (const name of ["key", "value", "keyPadding"] as const) {
    if (inputs[name] === undefined) continue;
    throw new InvalidInputError(name, "nothing, since append is false", "a tensor");
  }
  return false;
}

function readOptionalTensor(argument: string, value: unknown): Tensor | undefined {
  if (value === undefined) return undefined;
  checkTensor(argument, value);
  if (argument === "mask" && value.dtype !== "bool") {
    throw new InvalidInputError(argument, "dtype bool; biases are given as bias", value.dtype);
  }
  return value;
}

function readPadding(value: unknown, batch: number, rows: number): Tensor | undefined {
  if (value === undefined) return undefined;
  const padding = checkShape("keyPadding", value, [batch, rows], "[B, S]");
  if (padding.dtype === "bool") return padding;
  throw new InvalidInputError("keyPadding", "dtype bool", padding.dtype);
}

/** A copy, one number a token or `[L]`. */
function readPositions(value: unknown, batch: number, length: number): Int32Array | undefined {
  if (value === undefined) return undefined;
  return reading("positions", () => {
    const list =
      value instanceof Int32Array || Array.isArray(value)
        ? (value as ArrayLike<unknown>)
        : elementsOf(value);
    if (list.length !== length && list.length !== batch * length) {
      throw new InvalidInputError(
        "positions",
        `${batch * length} integers, one a token, or ${length} for every entry`,
        `${describeValue(list.length)} of them`,
      );
    }
    return Int32Array.from(list, (position) => {
      if (typeof position === "number" && position === (position | 0)) return position;
      throw new InvalidInputError("positions", "32-bit integers", describeValue(position));
    });
  });
}

function elementsOf(value: unknown): ArrayLike<number> {
  checkTensor("positions", value);
  if (isDeviceTensor(value)) {
    throw new InvalidInputError("positions", "a host tensor", `one of backend ${value.backend}`);
  }
  if (value.dtype !== "int32") throw new InvalidInputError("positions", "dtype int32", value.dtype);
  return toFloat64(value);
}

function readReturns(value: unknown): Pick<LayerCall, "returns" | "average"> {
  if (value === undefined) return { returns: {}, average: false };
  const given = readMembers<LayerReturns>("returns", value, ["weights", "logSumExp", "scores"]);
  const { weights, logSumExp, scores } = given;
  if (weights !== undefined && typeof weights !== "boolean" && weights !== "average") {
    throw new InvalidInputError(
      "returns.weights",
      'a boolean or "average"',
      describeValue(weights),
    );
  }
  return {
    returns: {
      ...(weights !== undefined && { weights: weights !== false }),
      ...(logSumExp !== undefined && { logSumExp }),
      ...(scores !== undefined && { scores }),
    },
    average: weights === "average",
  };
}
