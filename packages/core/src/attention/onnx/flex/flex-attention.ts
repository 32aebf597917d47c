import { InvalidInputError } from "../../../errors.js";
import { checkAttention, reading } from "../../../options.js";
import type { Attention } from "../../../select/attention.js";
import { isHostTensor, readTensor } from "../../../tensor/host-tensor.js";
import type { HostTensor, Tensor } from "../../../tensor/tensor.js";
import { readInputs, withNames } from "../call.js";
import { AttributeReader } from "../read-attributes.js";
import type {
  OnnxFlexAttentionAttributes,
  OnnxFlexAttentionInputs,
  OnnxFlexAttentionOutputs,
} from "./inputs.js";
import { programsOf, type ScoresShape, weightProgram } from "./programs.js";
import { weightedValues } from "./weighted-values.js";

/**
 * The operator FlexAttention of ai.onnx.preview on whichever backend `attention` selects: attention whose scores and
 * weights graphs of ONNX nodes change. `score_mod` and `mask_mod` become programs
 * (`@heed/core/program`), whose integers have 32 bits and whose floats have at least those of float32; `prob_mod`
 * changes the weights in host memory, where their sums of values are computed then. A graph may use operators that look at
 * one element at a time, and those that make indices, tables and shapes; scores stay in their places.
 *
 * Rows whose keys are all hidden are 0.
 *
 * @throws InvalidInputError naming the operator's own input or attribute, a graph's member, or a node with its operator
 * @throws UnsupportedError as `attention.run`
 */
export function onnxFlexAttention(
  attention: Pick<Attention, "run">,
  inputs: OnnxFlexAttentionInputs<HostTensor>,
  attributes?: OnnxFlexAttentionAttributes,
): Promise<OnnxFlexAttentionOutputs>;
export function onnxFlexAttention(
  attention: Pick<Attention, "run">,
  inputs: OnnxFlexAttentionInputs,
  attributes?: OnnxFlexAttentionAttributes,
): Promise<OnnxFlexAttentionOutputs<Tensor>>;
export async function onnxFlexAttention(
  attention: Pick<Attention, "run">,
  inputs: OnnxFlexAttentionInputs,
  attributes?: OnnxFlexAttentionAttributes,
): Promise<OnnxFlexAttentionOutputs<Tensor>> {
  checkAttention(attention, ["run"]);
  const read = new AttributeReader(attributes, attributeNames);
  const scale = read.number("scale");
  read.integer(
    "softmax_precision",
    (value) => [1, 10, 11, 16].includes(value),
    "1 (float), 10 (float16), 11 (double) or 16 (bfloat16)",
  );
  const given = readInputs(inputs, inputNames) as OnnxFlexAttentionInputs;
  const [query, key, value] = (["Q", "K", "V"] as const).map((name) =>
    ofRank4(name, given[name]),
  ) as [Tensor, Tensor, Tensor];
  const [batch, heads, length] = query.shape as readonly [number, number, number];
  const shape: ScoresShape = [batch, heads, length, key.shape[2] as number];
  const graphs = {
    score_mod: read.value("score_mod"),
    mask_mod: read.value("mask_mod"),
  } as OnnxFlexAttentionAttributes;
  const programs = reading("attributes", () => programsOf(graphs, shape));
  const call = { query, key, value, scale, ...programs };
  const probMod = read.value("prob_mod");
  if (probMod === undefined) {
    const { output } = await withNames(onnxNames, () => attention.run(call));
    return { Y: output };
  }
  const program = reading("prob_mod", () => weightProgram(probMod, shape));
  if (!isHostTensor(query) || !isHostTensor(key) || !isHostTensor(value)) {
    const expected =
      "nothing beside inputs on a device, whose weights are not read: give host tensors";
    throw new InvalidInputError("prob_mod", expected, "a graph");
  }
  const { weights } = await withNames(onnxNames, () =>
    attention.run({ ...call, query, key, value, returns: { weights: true } }),
  );
  return { Y: weightedValues(weights, value, program) };
}

function ofRank4(name: string, given: unknown): Tensor {
  const t = readTensor(name, given);
  if (t.shape.length === 4) return t;
  throw new InvalidInputError(name, "4 axes", `[${t.shape.join(", ")}]`);
}

const inputNames: ReadonlySet<keyof OnnxFlexAttentionInputs> = new Set(["Q", "K", "V"]);
const attributeNames: ReadonlySet<keyof OnnxFlexAttentionAttributes> = new Set([
  "scale",
  "softmax_precision",
  "score_mod",
  "mask_mod",
  "prob_mod",
]);
const onnxNames: Readonly<Record<string, string>> = {
  query: "Q",
  key: "K",
  value: "V",
  scoreMod: "score_mod",
  maskMod: "mask_mod",
};
