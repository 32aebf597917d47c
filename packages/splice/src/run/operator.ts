import { AttributeProto_AttributeType as AttributeType } from "@heed/backend-onnx/proto";
import { type HostTensor, reshape, type Tensor, transpose } from "@heed/core";
import { onnxAttention, onnxGroupQueryAttention, onnxMultiHeadAttention } from "@heed/core/onnx";
import type { GraphNode } from "../graph/graph.js";
import type { OperatorForm } from "../match/form.js";
import { NotThisCall } from "./axes.js";
import { packedAttention } from "./packed.js";
import type { Runner } from "./runner.js";
import { hostTensor, numbersOf, type Value } from "./values.js";

/** The operator's outputs in its order, each null where it is not wanted. */
export type OperatorOutputs = readonly (Tensor | null)[];

/** An input of an operator: a tensor, or 64-bit integers, which Heed's tensors do not hold. */
export type Argument = Tensor | readonly number[];

const inputNames: Readonly<Record<OperatorForm["operator"], readonly string[]>> = {
  Attention: ["Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen"],
  MultiHeadAttention: [
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
  ],
  GroupQueryAttention: [
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
  ],
  PackedAttention: [
    "input",
    "weights",
    "bias",
    "mask_index",
    "past",
    "attention_bias",
    "past_sequence_length",
  ],
};

const outputNames: Readonly<Record<OperatorForm["operator"], readonly string[]>> = {
  Attention: ["Y", "present_key", "present_value", "qk_matmul_output"],
  MultiHeadAttention: ["output", "present_key", "present_value", "qk"],
  GroupQueryAttention: ["output", "present_key", "present_value", "output_qk"],
  PackedAttention: ["output", "present"],
};

/**
 * Runs an operator's call on Heed, in the memory of its query.
 *
 * @param argument an input by the name of its value
 * @throws what core's functions for these operators throw, NotThisCall
 */
export async function runOperator(
  runner: Runner,
  { operator, node }: OperatorForm,
  argument: (value: string) => Argument,
): Promise<OperatorOutputs> {
  const inputs: Record<string, unknown> = {};
  for (const [at, name] of node.inputs.entries()) {
    const own = inputNames[operator][at];
    if (name === "") continue;
    if (!own) throw new NotThisCall(`input ${at} of ${operator} is not known`);
    inputs[own] = argument(name);
  }
  const names = outputNames[operator];
  const outputs = node.outputs.flatMap((name, at) => (name === "" ? [] : [names[at] as string]));
  const results = (await call(
    runner,
    operator,
    inputs,
    attributesOf(node),
    outputs,
  )) as unknown as Record<string, Tensor | undefined>;
  return node.outputs.map((name, at) =>
    name === "" ? null : (results[names[at] as string] ?? null),
  );
}

function call(
  runner: Runner,
  operator: OperatorForm["operator"],
  inputs: object,
  attributes: Record<string, unknown>,
  outputs: readonly string[],
): Promise<object> {
  const options = { outputs: outputs as never };
  switch (operator) {
    case "Attention":
      return onnxAttention(runner, inputs as never, attributes, options);
    case "MultiHeadAttention":
      return onnxMultiHeadAttention(runner, inputs as never, attributes as never, options);
    case "GroupQueryAttention":
      return onnxGroupQueryAttention(runner, inputs as never, attributes as never, options);
    case "PackedAttention":
      return packedAttention(runner, inputs as never, attributes, outputs);
  }
}

/** An operator's output as `[batch, heads, queryLength, valueDim]`: most have the heads in the last axis. */
export function arrangedHeads(output: HostTensor, heads: number): HostTensor {
  if (output.shape.length === 4) return output;
  const [batch, rows, width] = output.shape as [number, number, number];
  return transpose(reshape(output, [batch, rows, heads, width / heads]), [0, 2, 1, 3]);
}

/** An input that is in host memory. @throws NotThisCall */
export function hostArgument(value: Value): HostTensor | readonly number[] {
  if (value.type === "int64") return numbersOf(value);
  const t = hostTensor(value);
  if (!t) throw new NotThisCall(`an input is of ${value.type}`);
  return t;
}

function attributesOf(node: GraphNode): Record<string, unknown> {
  return Object.fromEntries(
    node.proto.attribute.map(({ name, type, i, f, s, ints }) => [
      name,
      type === AttributeType.INT
        ? Number(i)
        : type === AttributeType.FLOAT
          ? f
          : type === AttributeType.INTS
            ? ints.map(Number)
            : String.fromCharCode(...s),
    ]),
  );
}
