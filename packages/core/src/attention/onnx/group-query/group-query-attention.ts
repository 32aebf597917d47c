import { InvalidInputError } from "../../../errors.js";
import { checkAttention, readOptions } from "../../../options.js";
import { rmsNorm } from "../../../rms-norm/operation.js";
import { rotary } from "../../../rotary/operation.js";
import type { Attention } from "../../../select/attention.js";
import { readTensor } from "../../../tensor/host-tensor.js";
import { type HostTensor, type Tensor, tensor } from "../../../tensor/tensor.js";
import type { AttentionInputs } from "../../inputs.js";
import { readInputs, readIntegers, readWanted, withNames } from "../call.js";
import { CallMemory, type OperatorAttention } from "../call-memory.js";
import { hideInvisible } from "../mask.js";
import { withFirstRows } from "../resident.js";
import {
  type OnnxGroupQueryAttentionAttributes,
  type ReadGroupQueryAttributes,
  readGroupQueryAttributes,
} from "./attributes.js";
import type {
  OnnxGroupQueryAttentionInputs,
  OnnxGroupQueryAttentionOptions,
  OnnxGroupQueryAttentionOutputName,
  OnnxGroupQueryAttentionOutputs,
} from "./inputs.js";
import { type AttendedKeys, asAttention } from "./prepare.js";
import { checkCapacity, extendCompacted, extendPast, residentRows } from "./present.js";
import { type GroupQueryCall, readGroupQueryCall } from "./read.js";

/**
 * The operator com.microsoft.GroupQueryAttention
 * (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md) on whichever backend
 * `attention` selects, as onnxruntime's CPU provider computes it. With query, key, value and past in a backend's memory,
 * that backend runs everything there, and the outputs stay there; lengths, positions, the bias and the sinks are in host
 * memory always. A past that shares its buffer with the present may be in a backend's memory by itself, and stays there.
 *
 * A call whose query is as long as `total_sequence_length` is the first of its sequences: an entry that is
 * shorter is padded at its end. Later calls have one new token for each entry, or any number for a batch
 * of one. What quantised caches need is refused by name.
 *
 * @throws InvalidInputError naming the operator's own input or attribute
 * @throws UnsupportedError as `attention.run`
 */
export async function onnxGroupQueryAttention<
  T extends Tensor = HostTensor,
  Past extends Tensor = T,
>(
  attention: Pick<Attention, "run" | "apply"> & OperatorAttention,
  inputs: OnnxGroupQueryAttentionInputs<T, Past>,
  attributes: OnnxGroupQueryAttentionAttributes,
  options?: OnnxGroupQueryAttentionOptions,
): Promise<OnnxGroupQueryAttentionOutputs<T, Past>> {
  checkAttention(attention, ["run", "apply"]);
  const { outputs, sharedBuffer } = readOptions("options", options, optionNames);
  const wanted = readWanted(outputs, outputNames);
  if (sharedBuffer !== undefined && typeof sharedBuffer !== "boolean") {
    throw new InvalidInputError("sharedBuffer", "a boolean", typeof sharedBuffer);
  }
  const read = readGroupQueryAttributes(attributes);
  const given = readInputs(inputs, inputNames) as OnnxGroupQueryAttentionInputs<Tensor>;
  const { past_key, past_value } = given;
  const memory = new CallMemory(attention, {
    query: given.query,
    key: given.key,
    value: given.value,
    past_key,
    past_value,
  });
  if (memory.onDevice && read.qk !== "none") {
    throw new InvalidInputError("qk_output", "0 where inputs are on a device", "another");
  }
  if (read.compacted && read.qk !== "none") {
    throw new InvalidInputError("qk_output", "0 where sliding_window_cache is 1", "another");
  }
  const shared = sharedBuffer === true;
  try {
    const call = readGroupQueryCall(given, read, shared, memory);
    return await withNames(heedNames, async () => {
      const { query, key } = await embed(attention, call, given, read, memory);
      const extended = await extend(memory, call, key, read, shared);
      const { keys, presentKey, presentValue } = extended;
      const rows = read.compacted ? (keys.key.shape[2] as number) : call.total;
      const whole = given.attention_bias === undefined;
      const { output, qk } = await withFirstRows(
        keys.key,
        keys.value,
        rows,
        whole,
        async (k, v) => {
          const prepared = asAttention(call, query, { ...keys, key: k, value: v }, given, read);
          const { output, weights, scores } = await attention.run(prepared);
          // Neither is asked for where tensors are on a device.
          const logits = scores as HostTensor | undefined;
          const hidden =
            logits && hideInvisible(logits, prepared as AttentionInputs<HostTensor>, 0);
          return { output, qk: weights ?? hidden };
        },
      );
      const own = await memory.asQuery(output, query);
      return memory.results<OnnxGroupQueryAttentionOutputs<T, Past>>({
        output: await memory.merged(own),
        ...(wanted.has("present_key") && { present_key: presentKey }),
        ...(wanted.has("present_value") && { present_value: presentValue }),
        ...(qk && wanted.has("output_qk") && { output_qk: qk }),
      });
    });
  } finally {
    memory.dispose();
  }
}

const optionNames: ReadonlySet<keyof OnnxGroupQueryAttentionOptions> = new Set([
  "outputs",
  "sharedBuffer",
]);
const outputNames: readonly OnnxGroupQueryAttentionOutputName[] = [
  "output",
  "present_key",
  "present_value",
  "output_qk",
];
const inputNames: ReadonlySet<keyof OnnxGroupQueryAttentionInputs> = new Set([
  "query",
  "key",
  "value",
  "past_key",
  "past_value",
  "seqlens_k",
  "total_sequence_length",
  "cos_cache",
  "sin_cache",
  "position_ids",
  "attention_bias",
  "head_sink",
  "k_scale",
  "v_scale",
  "q_norm_weight",
  "k_norm_weight",
]);
const heedNames: Readonly<Record<string, string>> = {
  positions: "position_ids",
  cos: "cos_cache",
  sin: "sin_cache",
  rotaryDim: "cos_cache",
  bias: "attention_bias",
  sinks: "head_sink",
};

/** Normalises and turns queries and new keys, as the call has it. */
async function embed(
  attention: Pick<Attention, "apply">,
  call: GroupQueryCall,
  inputs: OnnxGroupQueryAttentionInputs<Tensor>,
  { rotary: turned, interleaved, epsilon }: ReadGroupQueryAttributes,
  memory: CallMemory,
): Promise<{ query: Tensor; key: Tensor }> {
  let { query, key } = call;
  const { q_norm_weight, k_norm_weight } = inputs;
  if ((q_norm_weight === undefined) !== (k_norm_weight === undefined)) {
    const missing = q_norm_weight === undefined ? "q_norm_weight" : "k_norm_weight";
    throw new InvalidInputError(missing, "both weights, or neither", "only one of them");
  }
  if (q_norm_weight !== undefined && k_norm_weight !== undefined) {
    const normalised = async (input: Tensor, weight: Tensor): Promise<Tensor> =>
      memory.keep((await attention.apply(rmsNorm, { input, weight, epsilon })).output);
    query = await normalised(query, normWeight("q_norm_weight", q_norm_weight, call));
    key = await normalised(key, normWeight("k_norm_weight", k_norm_weight, call));
  }
  if (!turned) return { query, key };
  const cos = readTable("cos_cache", inputs.cos_cache, call.headSize);
  const sin = readTable("sin_cache", inputs.sin_cache, call.headSize);
  const turn = {
    positions: positionsOf(call, inputs),
    cos,
    sin,
    rotaryDim: 2 * (cos.shape[1] as number),
    interleaved,
  };
  const turnedBy = async (input: Tensor): Promise<Tensor> =>
    input.shape[2] === 0
      ? input
      : memory.keep((await attention.apply(rotary, { input, ...turn })).output);
  return { query: await turnedBy(query), key: await turnedBy(key) };
}

function normWeight(argument: string, value: Tensor, { headSize, query }: GroupQueryCall): Tensor {
  const weight = readTensor(argument, value);
  if (weight.dtype === query.dtype && weight.shape.length === 1 && weight.shape[0] === headSize) {
    return weight;
  }
  throw new InvalidInputError(
    argument,
    `${query.dtype} of shape [${headSize}]`,
    `${weight.dtype} of shape [${weight.shape.join(", ")}]`,
  );
}

function readTable(argument: string, value: Tensor | undefined, headSize: number): Tensor {
  const expected = `shape [max_sequence_length, at most ${headSize / 2}], since do_rotary is 1`;
  if (value === undefined) throw new InvalidInputError(argument, expected, "undefined");
  const table = readTensor(argument, value);
  const pairs = table.shape[1] as number;
  if (table.shape.length === 2 && pairs >= 1 && 2 * pairs <= headSize) return table;
  throw new InvalidInputError(argument, expected, `[${table.shape.join(", ")}]`);
}

/** Rows of the caches for the call's tokens. The first call of sequences counts from the first position id. */
function positionsOf(
  { batch, length, before, first }: GroupQueryCall,
  { position_ids }: OnnxGroupQueryAttentionInputs<Tensor>,
): HostTensor<"int32"> {
  const shape = [batch, length];
  let start = 0;
  if (position_ids !== undefined) {
    const expected = `[batch, sequence_length] = [${batch}, ${length}]`;
    const given = readIntegers("position_ids", position_ids, batch * length, expected);
    if (!first) return tensor(given, shape);
    start = given[0] ?? 0;
  }
  const positions = new Int32Array(batch * length);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < length; i++) positions[b * length + i] = start + (before[b] as number) + i;
  }
  return tensor(positions, shape);
}

/** Keys and values with their past. */
async function extend(
  memory: CallMemory,
  call: GroupQueryCall,
  key: Tensor,
  { compacted, window }: ReadGroupQueryAttributes,
  shared: boolean,
): Promise<{ keys: AttendedKeys; presentKey: Tensor; presentValue: Tensor }> {
  const { value, batch, lengths, before } = call;
  if (!compacted || window === undefined) {
    const k = await extendPast(memory, call, "key", key, shared);
    const v = await extendPast(memory, call, "value", value, shared);
    return {
      keys: { key: k.attended, value: v.attended, lengths, before, start: new Int32Array(batch) },
      presentKey: k.present,
      presentValue: v.present,
    };
  }
  if (key.shape[2] === 0) {
    throw new InvalidInputError("key", "new keys where sliding_window_cache is 1", "none");
  }
  const capacity = checkCapacity(call, window);
  const resident = before.map((tokens) => residentRows(tokens, capacity, window));
  const k = await extendCompacted(memory, call, "key", key, window, resident, shared);
  const v = await extendCompacted(memory, call, "value", value, window, resident, shared);
  const keys = {
    key: k.attended,
    value: v.attended,
    lengths: resident.map((rows, b) => rows + (lengths[b] as number) - (before[b] as number)),
    before: resident,
    start: before.map((tokens, b) => tokens - (resident[b] as number)),
  };
  return { keys, presentKey: k.present, presentValue: v.present };
}
