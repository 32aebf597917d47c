import { InvalidInputError } from "../../errors.js";
import { checkAttention, readOptions } from "../../options.js";
import { readHostTensor, readTensor } from "../../tensor/host-tensor.js";
import type { HostTensor, Tensor } from "../../tensor/tensor.js";
import type { AttentionInputs, ScoresKind } from "../inputs.js";
import { concatenateLength, headsFirst, readNonpad, readPast } from "./arguments.js";
import { type OnnxAttentionAttributes, type ReadAttributes, readAttributes } from "./attributes.js";
import { readInputs, readWanted, withNames } from "./call.js";
import { CallMemory, type OperatorAttention } from "./call-memory.js";
import { hideInvisible, hidePadding, padMask } from "./mask.js";

export type { OnnxAttentionAttributes } from "./attributes.js";

/** The operator's inputs, by its own names. @typeParam T device tensors, for a call in a backend's memory */
export interface OnnxAttentionInputs<T extends Tensor = HostTensor> {
  /** `[batch, q_heads, q_length, head_size]`, or `[batch, q_length, q_heads·head_size]`. */
  readonly Q: T;
  /** `[batch, kv_heads, kv_length, head_size]`, or `[batch, kv_length, kv_heads·head_size]`. */
  readonly K: T;
  /** `[batch, kv_heads, kv_length, v_head_size]`, or `[batch, kv_length, kv_heads·v_head_size]`. */
  readonly V: T;
  /**
   * bool (true = attend) or Q's dtype (added). Broadcasts to `[batch, q_heads, q_length,
   * total_length]`, but along keys: a shorter last axis, 1 included, is padded with false or −∞.
   */
  readonly attn_mask?: HostTensor | undefined;
  /** `[batch, kv_heads, past_length, head_size]`; with past_value; not with nonpad_kv_seqlen. */
  readonly past_key?: T | undefined;
  /** `[batch, kv_heads, past_length, v_head_size]`. */
  readonly past_value?: T | undefined;
  /** `[batch]`: keys at or past it are padding (opset 24). ONNX's int64, or int32. */
  readonly nonpad_kv_seqlen?:
    | HostTensor
    | Int32Array
    | BigInt64Array
    | readonly number[]
    | undefined;
}

export type OnnxAttentionOutputName = "Y" | "present_key" | "present_value" | "qk_matmul_output";

/** The operator's outputs, by its own names; row-major, in the memory of the inputs. */
export interface OnnxAttentionOutputs<T extends Tensor = HostTensor> {
  /** `[batch, q_heads, q_length, v_head_size]`, or 3-D like Q. */
  readonly Y: T;
  /** `[batch, kv_heads, past_length + kv_length, head_size]`; without a past, K where it is
   * row-major and in host memory. */
  readonly present_key?: T;
  /** `[batch, kv_heads, past_length + kv_length, v_head_size]`; without a past as `present_key`. */
  readonly present_value?: T;
  /** `[batch, q_heads, q_length, total_length]`: see `qk_matmul_output_mode`. */
  readonly qk_matmul_output?: T;
}

export interface OnnxAttentionOptions {
  /**
   * The outputs wanted: in ONNX all but Y are optional. Default all of them; `qk_matmul_output`
   * takes q_length × total_length memory for each head, so leave it out where it is not used. Its mode 2 is made on
   * the host, and refused where inputs are on a device.
   */
  readonly outputs?: readonly OnnxAttentionOutputName[] | undefined;
}

const scoresOfMode: readonly ScoresKind[] = ["raw", "capped", "biased"];

/**
 * The ONNX operator Attention-23/24/25 (https://onnx.ai/onnx/operators/onnx__Attention.html; opset
 * 25 adds the windows) on whichever backend `attention` selects.
 *
 * Query row i sits at key position i + offset, where offset is the past's length with `past_key`,
 * `nonpad_kv_seqlen[b]` − q_length with that (possibly negative: leading rows are then empty, and
 * 0), and 0 otherwise, even if the lengths differ. Rows that see no key are 0 in Y and, with mode 3,
 * in qk_matmul_output.
 *
 * With Q, K, V or a past in a backend's memory, that backend runs everything there, and the outputs stay there; masks and
 * lengths are in host memory always.
 *
 * @throws InvalidInputError naming the operator's own input or attribute
 * @throws UnsupportedError as `attention.run`
 */
export async function onnxAttention<T extends Tensor = HostTensor>(
  attention: OperatorAttention,
  inputs: OnnxAttentionInputs<T>,
  attributes?: OnnxAttentionAttributes,
  options?: OnnxAttentionOptions,
): Promise<OnnxAttentionOutputs<T>> {
  checkAttention(attention, ["run"]);
  const wanted = readWanted(readOptions("options", options, optionNames).outputs, outputNames);
  const read = readAttributes(attributes);
  const given = readInputs(inputs, inputNames) as OnnxAttentionInputs<T>;
  const { Q, K, V, past_key, past_value } = given;
  const memory = new CallMemory(attention, { Q, K, V, past_key, past_value });
  const wantsScores = wanted.has("qk_matmul_output");
  if (memory.onDevice && wantsScores && read.qkMode === 2) {
    const expected = "no qk_matmul_output of mode 2 where inputs are on a device";
    throw new InvalidInputError("outputs", expected, "qk_matmul_output");
  }
  try {
    const call = await prepare(given, read, wantsScores, memory);
    const result = await withNames(onnxNames, () => attention.run(call.inputs));
    const { output, scores, weights } = result;
    let qk: Tensor | undefined = weights ?? scores;
    memory.keep(output);
    if (qk) memory.keep(qk);
    if (qk && read.qkMode === 2) {
      qk = hideInvisible(qk as HostTensor, call.inputs as AttentionInputs<HostTensor>);
    }
    const Y = call.merged ? await memory.merged(output) : output;
    const { key, value } = call.inputs;
    const present = async (own: Tensor, past: Tensor | undefined): Promise<Tensor> =>
      past === undefined ? memory.copied(own) : own;
    return memory.results({
      Y,
      ...(wanted.has("present_key") && { present_key: await present(key, past_key) }),
      ...(wanted.has("present_value") && { present_value: await present(value, past_value) }),
      ...(qk && { qk_matmul_output: qk }),
    });
  } finally {
    memory.dispose();
  }
}

const inputNames: ReadonlySet<keyof OnnxAttentionInputs> = new Set([
  "Q",
  "K",
  "V",
  "attn_mask",
  "past_key",
  "past_value",
  "nonpad_kv_seqlen",
]);
const optionNames: ReadonlySet<keyof OnnxAttentionOptions> = new Set(["outputs"]);

interface PreparedCall {
  readonly inputs: AttentionInputs<Tensor>;
  /** Whether the inputs were 3-D, and so Y is. */
  readonly merged: boolean;
}

async function prepare(
  onnx: OnnxAttentionInputs<Tensor>,
  attributes: ReadAttributes,
  wantsScores: boolean,
  memory: CallMemory,
): Promise<PreparedCall> {
  const rank = readTensor("Q", onnx.Q).shape.length;
  const query = headsFirst("Q", onnx.Q, rank, attributes.queryHeads, memory);
  const newKey = headsFirst("K", onnx.K, rank, attributes.kvHeads, memory);
  const newValue = headsFirst("V", onnx.V, rank, attributes.kvHeads, memory);
  const { past_key, past_value, nonpad_kv_seqlen } = onnx;
  if ((past_key === undefined) !== (past_value === undefined)) {
    throw new InvalidInputError(
      past_key === undefined ? "past_key" : "past_value",
      "past_key and past_value together",
      "only one of them",
    );
  }
  if (past_key !== undefined && nonpad_kv_seqlen !== undefined) {
    throw new InvalidInputError("nonpad_kv_seqlen", "no past_key and past_value beside it", "both");
  }
  const pastKey = past_key && readPast("past_key", past_key, "K", newKey);
  const pastValue = past_value && readPast("past_value", past_value, "V", newValue);
  const pastLength = pastKey?.shape[2] ?? 0;
  const keyLength = pastLength + (newKey.shape[2] as number);
  const attnMask =
    onnx.attn_mask === undefined
      ? undefined
      : padMask(readHostTensor("attn_mask", onnx.attn_mask), query.dtype, keyLength);
  const lengths =
    nonpad_kv_seqlen === undefined
      ? undefined
      : readNonpad(nonpad_kv_seqlen, query.shape[0] as number, keyLength);

  let mask = attnMask?.dtype === "bool" ? attnMask : undefined;
  const bias = attnMask?.dtype === "bool" ? undefined : attnMask;
  // Raw and capped scores are wanted at padding too, where kvLengths would leave no key at all: the
  // padding is then a mask, and the offset one number a batch.
  const asMask = lengths !== undefined && wantsScores && attributes.qkMode < 2;
  if (asMask) mask = hidePadding(lengths, keyLength, mask);
  const queryLength = query.shape[2] as number;
  const key = pastKey ? await concatenateLength(memory, pastKey, newKey) : newKey;
  const value = pastValue ? await concatenateLength(memory, pastValue, newValue) : newValue;
  const { options, qkMode } = attributes;
  return {
    merged: rank === 3,
    inputs: {
      query,
      key,
      value,
      mask,
      bias,
      ...options,
      queryOffset: lengths ? lengths.map((length) => length - queryLength) : pastLength,
      kvLengths: asMask ? undefined : lengths,
      returns: wantsScores
        ? qkMode === 3
          ? { weights: true }
          : { scores: scoresOfMode[qkMode] }
        : undefined,
    },
  };
}

const outputNames: readonly OnnxAttentionOutputName[] = [
  "Y",
  "present_key",
  "present_value",
  "qk_matmul_output",
];

const onnxNames: Readonly<Record<string, string>> = {
  query: "Q",
  key: "K",
  value: "V",
  mask: "attn_mask",
  bias: "attn_mask",
  kvLengths: "nonpad_kv_seqlen",
};
