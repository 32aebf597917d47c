import { InvalidInputError } from "../../../errors.js";
import { checkAttention, readOptions } from "../../../options.js";
import type { Attention } from "../../../select/attention.js";
import { readHostTensor } from "../../../tensor/host-tensor.js";
import type { HostTensor, Tensor } from "../../../tensor/tensor.js";
import { contiguous, mergeHeads } from "../../../tensor/views.js";
import type { AttentionInputs } from "../../inputs.js";
import { readInputs, readWanted, withNames } from "../call.js";
import { AttributeReader } from "../read-attributes.js";
import { isResident, toHost, withFirstRows } from "../resident.js";
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
 * providers have. All tensors are in host memory, but for a past that shares its buffer with the present: it may
 * be in a backend's memory, and stays there.
 *
 * @throws InvalidInputError naming the operator's own input or attribute
 * @throws UnsupportedError as `attention.run`
 */
export async function onnxMultiHeadAttention<Past extends Tensor = HostTensor>(
  attention: Pick<Attention, "run" | "apply">,
  inputs: OnnxMultiHeadAttentionInputs<Past>,
  attributes: OnnxMultiHeadAttentionAttributes,
  options?: OnnxMultiHeadAttentionOptions,
): Promise<OnnxMultiHeadAttentionOutputs<Past>> {
  checkAttention(attention, ["run", "apply"]);
  const { outputs } = readOptions("options", options, optionNames);
  const wanted = readWanted(outputs ?? defaultOutputs, outputNames);
  const read = new AttributeReader(attributes, attributeNames);
  const heads = read.count("num_heads");
  const filter = read.number("mask_filter_value") ?? -10_000;
  const scale = read.number("scale");
  const causal = read.flag("unidirectional", false);
  const given = readInputs(inputs, inputNames) as OnnxMultiHeadAttentionInputs<Past>;
  if (given.cache_indirection !== undefined) {
    throw new InvalidInputError("cache_indirection", "nothing: it is not supported", "a value");
  }
  const split = readHeads(given, heads);
  const { query } = split;
  const { past_key } = given;
  if (past_key !== undefined && isResident(past_key) && wanted.has("qk")) {
    throw new InvalidInputError("outputs", "no qk where past_key is on a device", "qk");
  }
  const extended = await withPast(attention, given, split);
  const [batch, , length] = query.shape as [number, number, number, number];
  const { total } = extended;
  const sizes = { batch, heads, length, total, past: extended.past, causal };
  const attend = readAttend(given.key_padding_mask, sizes);
  const bias = readBias(given.attention_bias, query.dtype, sizes);
  return withNames(heedNames, async () => {
    const padding = paddingOf(attend, filter, bias, sizes);
    const whole = attend === undefined && bias === undefined;
    const run = async (key: Tensor, value: Tensor) => {
      const more = key.shape[2] !== total;
      const { output, scores } = await attention.run({
        query,
        key,
        value,
        ...padding,
        ...(more && { kvLengths: new Int32Array(batch).fill(total) }),
        scale: scale === 0 ? undefined : scale,
        ...(causal && { causal, queryOffset: extended.past }),
        ...(wanted.has("qk") && { returns: { scores: "biased" as const } }),
      } as AttentionInputs<Tensor, HostTensor>);
      return { output: await toHost(output), scores: scores as HostTensor | undefined };
    };
    const { output, scores } = await withFirstRows(extended.key, extended.value, total, whole, run);
    return {
      output: contiguous(mergeHeads(output)),
      ...(wanted.has("present_key") && { present_key: extended.presentKey as Past }),
      ...(wanted.has("present_value") && { present_value: extended.presentValue as Past }),
      ...(scores && { qk: filterLogits(scores, attend, filter, sizes) }),
    };
  });
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
