import { InvalidInputError } from "../../../errors.js";
import { checkAttention, readOptions } from "../../../options.js";
import type { Attention } from "../../../select/attention.js";
import { readHostTensor } from "../../../tensor/host-tensor.js";
import type { HostTensor, Tensor } from "../../../tensor/tensor.js";
import type { AttentionInputs } from "../../inputs.js";
import { readInputs, readWanted, withNames } from "../call.js";
import { CallMemory, type OperatorAttention } from "../call-memory.js";
import { AttributeReader } from "../read-attributes.js";
import { withFirstRows } from "../resident.js";
import type {
  OnnxMultiHeadAttentionAttributes,
  OnnxMultiHeadAttentionInputs,
  OnnxMultiHeadAttentionOptions,
  OnnxMultiHeadAttentionOutputName,
  OnnxMultiHeadAttentionOutputs,
} from "./inputs.js";
import { filterLogits, type PaddingSizes, paddingOf, readAttend } from "./padding.js";
import { withPast } from "./past.js";
import { readHeads } from "./read.js";

/**
 * The operator com.microsoft.MultiHeadAttention
 * (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md) on whichever backend
 * `attention` selects, as onnxruntime's CPU provider computes it, and with the packed forms that only other
 * providers have. With query, key, value and past in a backend's memory, that backend runs everything there, and the
 * outputs stay there. Masks and biases are in host memory always. A past that shares its buffer with the present may be in
 * a backend's memory by itself, and stays there.
 *
 * @throws InvalidInputError naming the operator's own input or attribute
 * @throws UnsupportedError as `attention.run`
 */
export async function onnxMultiHeadAttention<
  T extends Tensor = HostTensor,
  Past extends Tensor = T,
>(
  attention: Pick<Attention, "run" | "apply"> & OperatorAttention,
  inputs: OnnxMultiHeadAttentionInputs<T, Past>,
  attributes: OnnxMultiHeadAttentionAttributes,
  options?: OnnxMultiHeadAttentionOptions,
): Promise<OnnxMultiHeadAttentionOutputs<T, Past>> {
  checkAttention(attention, ["run", "apply"]);
  const { outputs } = readOptions("options", options, optionNames);
  const wanted = readWanted(outputs ?? defaultOutputs, outputNames);
  const read = new AttributeReader(attributes, attributeNames);
  const heads = read.count("num_heads");
  const filter = read.number("mask_filter_value") ?? -10_000;
  const scale = read.number("scale");
  const causal = read.flag("unidirectional", false);
  const given = readInputs(inputs, inputNames) as OnnxMultiHeadAttentionInputs<Tensor>;
  if (given.cache_indirection !== undefined) {
    throw new InvalidInputError("cache_indirection", "nothing: it is not supported", "a value");
  }
  const { query, key, value, past_key, past_value } = given;
  const memory = new CallMemory(attention, { query, key, value, past_key, past_value });
  if (memory.onDevice && wanted.has("qk")) {
    throw new InvalidInputError("outputs", "no qk where inputs are on a device", "qk");
  }
  try {
    const split = readHeads(given, heads, memory);
    const [batch, , length] = split.query.shape as [number, number, number, number];
    const extended = await withPast(memory, given, split);
    const { total } = extended;
    const sizes = { batch, heads, length, total, past: extended.past, causal };
    const attend = readAttend(given.key_padding_mask, sizes);
    const bias = readBias(given.attention_bias, split.query.dtype, sizes);
    const padding = paddingOf(attend, filter, bias, sizes);
    const run = (key: Tensor, value: Tensor) =>
      attention.run({
        query: split.query,
        key,
        value,
        ...padding,
        ...(key.shape[2] !== total && { kvLengths: new Int32Array(batch).fill(total) }),
        scale: scale === 0 ? undefined : scale,
        ...(causal && { causal, queryOffset: extended.past }),
        ...(wanted.has("qk") && { returns: { scores: "biased" as const } }),
      } as AttentionInputs<Tensor>);
    const whole = attend === undefined && bias === undefined;
    const { output, scores } = await withNames(heedNames, () =>
      withFirstRows(extended.key, extended.value, total, whole, run),
    );
    const own = await memory.asQuery(output, split.query);
    return memory.results({
      output: await memory.merged(own),
      ...(wanted.has("present_key") && { present_key: await extended.presentKey() }),
      ...(wanted.has("present_value") && { present_value: await extended.presentValue() }),
      ...(scores && { qk: filterLogits(scores as HostTensor, attend, filter, sizes) }),
    });
  } finally {
    memory.dispose();
  }
}

const optionNames: ReadonlySet<keyof OnnxMultiHeadAttentionOptions> = new Set(["outputs"]);
const defaultOutputs: readonly OnnxMultiHeadAttentionOutputName[] = [
  "output",
  "present_key",
  "present_value",
];
const outputNames: readonly OnnxMultiHeadAttentionOutputName[] = [...defaultOutputs, "qk"];
const attributeNames: ReadonlySet<keyof OnnxMultiHeadAttentionAttributes> = new Set([
  "num_heads",
  "mask_filter_value",
  "scale",
  "unidirectional",
]);
const inputNames: ReadonlySet<keyof OnnxMultiHeadAttentionInputs> = new Set([
  "query",
  "key",
  "value",
  "bias",
  "key_padding_mask",
  "attention_bias",
  "past_key",
  "past_value",
  "past_sequence_length",
  "cache_indirection",
]);
const heedNames: Readonly<Record<string, string>> = { mask: "key_padding_mask" };

function readBias(
  given: HostTensor | undefined,
  dtype: string,
  { batch, heads, length, total }: PaddingSizes,
): HostTensor | undefined {
  if (given === undefined) return undefined;
  const bias = readHostTensor("attention_bias", given);
  const [b, h, rows, columns] = bias.shape;
  const fits =
    bias.dtype === dtype &&
    bias.shape.length === 4 &&
    (b === 1 || b === batch) &&
    (h === 1 || h === heads) &&
    rows === length &&
    columns === total;
  if (fits) return bias;
  throw new InvalidInputError(
    "attention_bias",
    `${dtype} of shape [${batch} or 1, ${heads} or 1, ${length}, ${total}]`,
    `${bias.dtype} of shape [${bias.shape.join(", ")}]`,
  );
}
