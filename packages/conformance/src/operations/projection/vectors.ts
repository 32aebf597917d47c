import {
  createAttention,
  fromFloat64,
  type HostTensor,
  mergeHeads,
  slice,
  splitHeads,
  tensor,
  toFloat64,
} from "@heed/core";
import { readSafeTensors } from "@heed/core/safetensors";
import { readPackagedVector } from "../../calls/vectors.js";
import { borrow } from "../../run/borrow.js";
import type { OperationCase, OperationContext, OperationFinding } from "../../run/case.js";
import { checkCall, runCall } from "../../run/check-call.js";
import { judgedProjection } from "./judge.js";

/** Layers of torch.nn.MultiheadAttention with their state: projections around attention. */
const layers = [
  "cross_bias_kdim_vdim",
  "cross_nobias_kdim_vdim_keypad_boolmask3d",
  "self_bias_causal_boolmask",
  "self_nobias",
  "self_nobias_floatmask_keypad",
] as const;

type Tensors = Readonly<Record<string, HostTensor>>;

/** Weight and bias of one of the three projections into the layer. */
function intoLayer(tensors: Tensors, part: 0 | 1 | 2): { weight: HostTensor; bias?: HostTensor } {
  const size = (tensors["out_proj.weight"] as HostTensor).shape[0] as number;
  const rows = (t: HostTensor): HostTensor => slice(t, 0, part * size, (part + 1) * size);
  const packed = tensors.in_proj_weight;
  const own = tensors[`${"qkv"[part]}_proj_weight`] as HostTensor;
  const bias = tensors.in_proj_bias;
  return { weight: packed ? rows(packed) : own, ...(bias && { bias: rows(bias) }) };
}

/** PyTorch's masks say true for what is hidden; ours say true for what may be attended to. */
function rulesOf(
  tensors: Tensors,
  [batch, heads, rows, keys]: readonly [number, number, number, number],
): { mask?: HostTensor; bias?: HostTensor } {
  const given = tensors["in.attn_mask"];
  const padding = tensors["in.key_padding_mask"];
  const hidden = given?.dtype === "bool" ? toFloat64(given) : null;
  const padded = padding ? toFloat64(padding) : null;
  const whole = hidden !== null && hidden.length === rows * keys;
  const visible = Uint8Array.from({ length: batch * heads * rows * keys }, (_, at) => {
    const b = Math.floor(at / (heads * rows * keys));
    const masked = hidden?.[whole ? at % (rows * keys) : at] ?? 0;
    return masked || padded?.[b * keys + (at % keys)] ? 0 : 1;
  });
  return {
    ...((hidden || padded) && {
      mask: tensor(visible, [batch, heads, rows, keys], { dtype: "bool" }),
    }),
    ...(given && given.dtype !== "bool" && { bias: given }),
  };
}

async function checkLayer(name: string, context: OperationContext): Promise<OperationFinding> {
  const read = context.readVector ?? readPackagedVector;
  const { tensors, metadata } = readSafeTensors(await read(`mha/${name}.safetensors`));
  const { num_heads: count } = JSON.parse(metadata.attributes as string) as { num_heads: number };
  const query = tensors["in.query"] as HostTensor;
  const first = { input: query, ...intoLayer(tensors, 0) };
  const projected: HostTensor[] = [];
  for (const [part, of] of [
    [0, query],
    [1, tensors["in.key"] ?? query],
    [2, tensors["in.value"] ?? query],
  ] as const) {
    const call = { input: of, ...intoLayer(tensors, part) };
    const outputs = await runCall(judgedProjection, call, context);
    if (outputs === null) return checkCall(judgedProjection, first, context);
    projected.push(splitHeads(outputs.output, count) as HostTensor);
  }
  const [q, k, v] = projected as [HostTensor, HostTensor, HostTensor];
  const { backend } = context;
  const attention = await createAttention({
    backends: [{ name: backend.name, load: async () => borrow(backend) }],
    selfTest: false,
    fallback: "silent",
  });
  try {
    const sizes = [q.shape[0], count, q.shape[2], k.shape[2]] as [number, number, number, number];
    const { output } = await attention.run({
      query: q,
      key: k,
      value: v,
      ...rulesOf(tensors, sizes),
    });
    const weight = tensors["out_proj.weight"] as HostTensor;
    const bias = tensors["out_proj.bias"];
    const merged = mergeHeads(output) as HostTensor;
    const last = { input: merged, weight, ...(bias && { bias }) };
    const outputs = await runCall(judgedProjection, last, context);
    return { failures: outputs === null ? ["refused"] : compare(outputs.output, tensors) };
  } finally {
    await attention.dispose();
  }
}

/** float32 through four projections and a softmax, against float64: some hundred roundings. */
function compare(output: HostTensor, tensors: Tensors): string[] {
  const recorded = toFloat64(tensors["out.output"] as HostTensor);
  const got = toFloat64(fromFloat64(toFloat64(output), output.shape, "float32"));
  const largest = recorded.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const wrong = recorded.findIndex(
    (x, at) => !(Math.abs((got[at] as number) - x) <= 200 * 2 ** -24 * largest),
  );
  return wrong < 0 ? [] : [`output ${wrong} is ${got[wrong]}, not ${recorded[wrong]}`];
}

/** Recorded layers of PyTorch, whose projections and attention are the backend's. */
export const projectionVectors: readonly OperationCase[] = layers.map((name) => ({
  id: `vectors/mha/${name}`,
  profile: "projection",
  operation: "projection",
  check: (context) => checkLayer(name, context),
}));
