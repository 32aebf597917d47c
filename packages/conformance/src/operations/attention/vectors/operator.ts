import {
  type Attention,
  type AttentionInputs,
  type AttentionOutputs,
  contiguous,
  type HostTensor,
  splitHeads,
  toFloat64,
} from "@heed/core";
import {
  onnxAttention,
  onnxFlexAttention,
  onnxGroupQueryAttention,
  onnxMultiHeadAttention,
} from "@heed/core/onnx";
import type { SafeTensors } from "@heed/core/safetensors";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import type { Verdict } from "../../../judge/verdict.js";
import { judge } from "../judge/judge.js";

type Tensors = Readonly<Record<string, HostTensor>>;

/** An adapter of core, with inputs, attributes and outputs by the operator's own names. */
type Adapter = (
  attention: Pick<Attention, "run" | "apply">,
  inputs: never,
  attributes: never,
  options: { readonly outputs: never },
) => Promise<object>;

const adapters: Readonly<Record<string, Adapter>> = {
  Attention: onnxAttention,
  FlexAttention: onnxFlexAttention,
  GroupQueryAttention: onnxGroupQueryAttention,
  MultiHeadAttention: onnxMultiHeadAttention,
};

/** A recorded operator is one call: it is judged as that call, by what the operator returned and recorded. */
export async function runOperator(
  { tensors, metadata }: SafeTensors,
  attention: Attention,
  arithmetic: Arithmetic,
): Promise<Verdict> {
  const pick = (prefix: string): Tensors =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, t]) => [name.slice(prefix.length), t]),
    );
  const inputs = pick("in.");
  const recorded = pick("out.");
  const adapter = adapters[metadata.op as string] as Adapter;
  let call: AttentionInputs<HostTensor> | null = null;
  const watched: Pick<Attention, "run" | "apply"> = {
    run: (given: AttentionInputs) => {
      call = given as AttentionInputs<HostTensor>;
      return attention.run(call) as never;
    },
    apply: (operation, given, options) => attention.apply(operation, given, options),
  };
  const attributes = JSON.parse(metadata.attributes as string) as Readonly<Record<string, unknown>>;
  const got = (await adapter(watched, inputs as never, attributes as never, { outputs: Object.keys(recorded) as never,
  })) as Tensors;
  const made = call as unknown as AttentionInputs<HostTensor>;
  const verdict = judge(made, asCall(made, got), asCall(made, recorded), arithmetic);
  const copies = copyViolations(recorded, got, inputs, metadata.domain === "com.microsoft");
  // Rules that follow from weights that add up to 1 do not hold for weights that prob_mod has changed.
  const broken = attributes.prob_mod === undefined ? verdict.violations : [];
  return { ...verdict, violations: [...broken, ...copies] };
}

/** The operator's outputs as those of the call that it makes. */
function asCall(
  { query, returns }: AttentionInputs<HostTensor>,
  outputs: Tensors,
): AttentionOutputs<HostTensor> {
  const output = (outputs.Y ?? outputs.output) as HostTensor;
  const qk = outputs.qk_matmul_output;
  return {
    output:
      output.shape.length === 3 ? contiguous(splitHeads(output, query.shape[1] as number)) : output,
    ...(qk && (returns?.weights ? { weights: qk } : { scores: qk })),
  };
}

/**
 * Violations among the operator's outputs: wrong shapes, and `present_*` that are no copies. Rows beyond an
 * entry's tokens are not compared, since no operator says what they hold. Keys that the operator turned may
 * differ in their last bits.
 */
function copyViolations(
  recorded: Tensors,
  got: Tensors,
  { seqlens_k: last }: Tensors,
  turns: boolean,
): string[] {
  return Object.entries(recorded).flatMap(([name, t]) => {
    const own = got[name];
    if (own === undefined || own.shape.join() !== t.shape.join()) {
      return [`${name} has shape [${own?.shape}] instead of [${t.shape}]`];
    }
    if (!name.startsWith("present_")) return [];
    const [values, expected] = [toFloat64(own), toFloat64(t)];
    const [, heads, rows, size] = t.shape as [number, number, number, number];
    const exact = !turns || name === "present_value";
    const at = values.findIndex((x, i) => {
      const entry = Math.floor(i / (heads * rows * size));
      const tokens = last ? (last.data[entry] as number) + 1 : rows;
      if (Math.floor(i / size) % rows >= tokens) return false;
      const wanted = expected[i] as number;
      return exact ? !Object.is(x, wanted) : !(Math.abs(x - wanted) <= 2e-6 * (1 + Math.abs(wanted)));
    });
    return at < 0
      ? []
      : [`${name} is no copy: flat index ${at} is ${values[at]}, not ${expected[at]}`];
  });
}
