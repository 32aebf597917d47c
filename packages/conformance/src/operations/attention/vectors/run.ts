import {
  type Attention,
  type AttentionInputs,
  type AttentionOutputs,
  contiguous,
  type HostTensor,
  mergePartials,
  type PartialAttention,
  splitHeads,
  toFloat64,
} from "@heed/core";
import {
  type OnnxAttentionAttributes,
  type OnnxAttentionInputs,
  type OnnxAttentionOutputName,
  type OnnxAttentionOutputs,
  onnxAttention,
} from "@heed/core/onnx";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import { type Expected, judge } from "../judge/judge.js";
import { summarise, type Verdict } from "../../../judge/verdict.js";
import { difference, toleranceOf } from "../laws/compare.js";
import { onKeys } from "../laws/transform.js";
import type { SafeTensors } from "../../../calls/safetensors.js";
import { loadVector, type ReadVector, realCall, type VectorCase } from "../../../calls/vectors.js";

/**
 * Runs a recorded vector and judges the outputs against the recorded ones.
 *
 * @param attention over the backend under test only
 * @param arithmetic of the backend's device
 * @throws UnsupportedError where the backend refuses a problem of it
 */
export async function runVector(
  c: VectorCase,
  attention: Attention,
  arithmetic: Arithmetic,
  read?: ReadVector,
): Promise<Verdict> {
  const file = await loadVector(c, read);
  if (c.folder === "onnx") return runOnnx(file, attention, arithmetic);
  if (c.name.startsWith("merge")) return runMerge(file, attention, arithmetic);
  const { inputs, expected } =
    c.folder === "torch"
      ? torchCall(file)
      : c.folder === "serving"
        ? decodeCall(file)
        : realCall(c, file);
  return judge(inputs, await attention.run(inputs), expected, arithmetic);
}

/** A call, and what was recorded of it. */
interface RecordedCall {
  readonly inputs: AttentionInputs<HostTensor>;
  readonly expected: Expected;
}

interface RecordedAttributes {
  readonly causal: "none" | "top-left" | "bottom-right";
  readonly offset?: number;
  readonly scale: number;
  readonly softcap?: number;
  readonly window: readonly [number, number] | null;
}

function attributesOf({ metadata }: SafeTensors): RecordedAttributes {
  return JSON.parse(metadata.attributes as string);
}

/** −1 is unbounded in the recordings. */
function windowOf({ window }: RecordedAttributes): AttentionInputs["window"] {
  if (window === null) return undefined;
  const [left, right] = window.map((side) => (side < 0 ? undefined : side));
  return { left, right };
}

function torchCall(file: SafeTensors): RecordedCall {
  const { tensors } = file;
  const attributes = attributesOf(file);
  const inputs: AttentionInputs<HostTensor> = {
    query: tensors["in.q"] as HostTensor,
    key: tensors["in.k"] as HostTensor,
    value: tensors["in.v"] as HostTensor,
    mask: tensors["in.mask"],
    bias: tensors["in.bias"],
    alibiSlopes: tensors["in.alibi_slopes"],
    sinks: tensors["in.sink"],
    causal: attributes.causal !== "none",
    window: windowOf(attributes),
    queryOffset: attributes.offset,
    scale: attributes.scale,
    softcap: attributes.softcap,
    returns: { logSumExp: true },
  };
  return { inputs, expected: outputsOf(file) };
}

function decodeCall(file: SafeTensors): RecordedCall {
  const { tensors } = file;
  const attributes = attributesOf(file);
  const inputs: AttentionInputs<HostTensor> = {
    query: tensors["in.q"] as HostTensor,
    key: tensors["in.k_cache"] as HostTensor,
    value: tensors["in.v_cache"] as HostTensor,
    kvLengths: (tensors["in.kv_lens"] as HostTensor).data as Int32Array,
    sinks: tensors["in.sink"],
    causal: attributes.causal !== "none",
    window: windowOf(attributes),
    queryOffset: "bottom-right",
    scale: attributes.scale,
    softcap: attributes.softcap,
    returns: { logSumExp: true },
  };
  return { inputs, expected: outputsOf(file) };
}

/** The recorded output and log-sum-exp; with a number, those of a part. */
function outputsOf({ tensors }: SafeTensors, part?: number): Expected {
  if (part === undefined) return { output: tensors["out.o"], logSumExp: tensors["out.lse"] };
  const one = (t: HostTensor): HostTensor => ({
    ...t,
    shape: t.shape.slice(1),
    strides: t.strides.slice(1),
    offset: t.offset + part * (t.strides[0] as number),
  });
  return {
    output: one(tensors["out.o_parts"] as HostTensor),
    logSumExp: one(tensors["out.lse_parts"] as HostTensor),
  };
}

/**
 * Each part of the keys on its own, judged, then merged: checks the parts' log-sum-exp and core's
 * `mergePartials`. What is merged may differ from the recording by as much as two evaluations of the
 * whole may, as in the law on split keys.
 */
async function runMerge(
  file: SafeTensors,
  attention: Attention,
  arithmetic: Arithmetic,
): Promise<Verdict> {
  const { tensors } = file;
  const attributes = attributesOf(file);
  const [query, key, value] = ["in.q", "in.k", "in.v"].map((name) => tensors[name]) as [
    HostTensor,
    HostTensor,
    HostTensor,
  ];
  const splits = (tensors["in.splits"] as HostTensor).data as Int32Array;
  const whole: AttentionInputs<HostTensor> = {
    query,
    key,
    value,
    causal: attributes.causal !== "none",
    window: windowOf(attributes),
    queryOffset: (key.shape[2] as number) - (query.shape[2] as number),
    scale: attributes.scale,
    returns: { logSumExp: true },
  };
  const parts: PartialAttention[] = [];
  const verdicts: Verdict[] = [];
  for (const [p, start] of splits.subarray(0, -1).entries()) {
    const inputs = onKeys(whole, start, splits[p + 1] as number);
    const { output, logSumExp } = await attention.run(inputs);
    parts.push({ output, logSumExp: logSumExp as HostTensor });
    const expected = outputsOf(file, p);
    verdicts.push(
      judge(inputs, { output, logSumExp: logSumExp as HostTensor }, expected, arithmetic),
    );
  }
  const { output, logSumExp } = outputsOf(file);
  const recorded = { output: output as HostTensor, logSumExp: logSumExp as HostTensor };
  const wrong = difference(mergePartials(parts), recorded, toleranceOf(whole));
  return summarise(
    verdicts,
    [
      ...verdicts.flatMap(({ violations }) => violations),
      ...(wrong === null ? [] : [`merged, ${wrong}`]),
    ],
    verdicts.flatMap(({ where }) => where),
  );
}

/** The operator is one call: it is judged as that call, by what the operator returned and recorded. */
async function runOnnx(
  { tensors, metadata }: SafeTensors,
  attention: Attention,
  arithmetic: Arithmetic,
): Promise<Verdict> {
  const pick = (prefix: string): [string, HostTensor][] =>
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, t]) => [name.slice(prefix.length), t]);
  const inputs = Object.fromEntries(pick("in.")) as unknown as OnnxAttentionInputs;
  const attributes: OnnxAttentionAttributes = JSON.parse(metadata.attributes as string);
  const recorded = pick("out.") as [OnnxAttentionOutputName, HostTensor][];
  const outputs = recorded.map(([name]) => name);
  let call: AttentionInputs<HostTensor> | null = null;
  const watched: Pick<Attention, "run"> = {
    run: (given: AttentionInputs) => {
      call = given as AttentionInputs<HostTensor>;
      return attention.run(call) as never;
    },
  };
  const got = await onnxAttention(watched, inputs, attributes, { outputs });
  const made = call as unknown as AttentionInputs<HostTensor>;
  const verdict = judge(
    made,
    asCall(made, Object.entries(got) as typeof recorded),
    asCall(made, recorded),
    arithmetic,
  );
  return { ...verdict, violations: [...verdict.violations, ...copyViolations(recorded, got)] };
}

/** The operator's outputs as those of the call that it makes. */
function asCall(
  { query, returns }: AttentionInputs<HostTensor>,
  outputs: readonly (readonly [OnnxAttentionOutputName, HostTensor])[],
): AttentionOutputs<HostTensor> {
  const named = new Map(outputs);
  const Y = named.get("Y") as HostTensor;
  const qk = named.get("qk_matmul_output");
  return {
    output: Y.shape.length === 3 ? contiguous(splitHeads(Y, query.shape[1] as number)) : Y,
    ...(qk && (returns?.weights ? { weights: qk } : { scores: qk })),
  };
}

/** Violations among the operator's outputs: wrong shapes, and `present_*` that are not bit-exact copies. */
function copyViolations(
  recorded: readonly (readonly [OnnxAttentionOutputName, HostTensor])[],
  got: OnnxAttentionOutputs,
): string[] {
  return recorded.flatMap(([name, t]) => {
    const own = got[name];
    if (own === undefined || own.shape.join() !== t.shape.join()) {
      return [`${name} has shape [${own?.shape}] instead of [${t.shape}]`];
    }
    if (!name.startsWith("present_")) return [];
    const [values, expected] = [toFloat64(own), toFloat64(t)];
    const at = values.findIndex((x, i) => !Object.is(x, expected[i]));
    return at < 0
      ? []
      : [`${name} is no copy: flat index ${at} is ${values[at]}, not ${expected[at]}`];
  });
}
