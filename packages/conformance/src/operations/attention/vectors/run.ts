import {
  type Attention,
  type AttentionInputs,
  type HostTensor,
  mergePartials,
  type PartialAttention,
  reshape,
  transpose,
} from "@heed/core";
import { runOperator } from "./operator.js";
import { sparseInputs } from "./sparse.js";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import { type Expected, judge } from "../judge/judge.js";
import { summarise, type Verdict } from "../../../judge/verdict.js";
import { difference, toleranceOf } from "../laws/compare.js";
import { onKeys } from "../laws/transform.js";
import type { SafeTensors } from "@heed/core/safetensors";
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
  if (c.folder === "onnx" || c.folder === "ort") return runOperator(file, attention, arithmetic);
  if (c.name.startsWith("merge")) return runMerge(file, attention, arithmetic);
  const { inputs, expected } =
    c.folder === "torch"
      ? torchCall(file)
      : c.folder === "serving"
        ? servingCall(c.name, file)
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

function servingCall(name: string, file: SafeTensors): RecordedCall {
  if (name.startsWith("decode")) return decodeCall(file);
  return "in.q" in file.tensors && !("in.cu_seqlens_q" in file.tensors)
    ? { inputs: sparseInputs(file), expected: outputsOf(file) }
    : raggedCall(file);
}

/**
 * A ragged batch, with keys in pages or not. Recorded are queries `[total, heads, size]`, keys alike or
 * `[pages, pageSize, heads, size]`, and log-sum-exps `[heads, total]`.
 */
function raggedCall(file: SafeTensors): RecordedCall {
  const { tensors } = file;
  const attributes = attributesOf(file);
  const byHead = (name: string): HostTensor => {
    const t = tensors[name] as HostTensor;
    return t.shape.length === 4 ? transpose(t, [0, 2, 1, 3]) : splitTotal(t);
  };
  const starts = (name: string): Int32Array | undefined =>
    tensors[name]?.data as Int32Array | undefined;
  const inputs: AttentionInputs<HostTensor> = {
    query: byHead("in.q"),
    key: byHead(tensors["in.k_pages"] ? "in.k_pages" : "in.k"),
    value: byHead(tensors["in.v_pages"] ? "in.v_pages" : "in.v"),
    queryStarts: starts("in.cu_seqlens_q"),
    keyStarts: starts("in.cu_seqlens_k"),
    pageTable: tensors["in.block_table"],
    kvLengths: starts("in.kv_lens"),
    alibiSlopes: tensors["in.alibi_slopes"],
    sinks: tensors["in.sink"],
    causal: attributes.causal !== "none",
    window: windowOf(attributes),
    queryOffset: "bottom-right",
    scale: attributes.scale,
    softcap: attributes.softcap,
    returns: { logSumExp: true },
  };
  const logSumExp = tensors["out.lse"] as HostTensor;
  const expected = {
    output: splitTotal(tensors["out.o"] as HostTensor),
    logSumExp: reshape(logSumExp, [1, ...logSumExp.shape]),
  };
  return { inputs, expected };
}

/** `[total, heads, size]` as `[1, heads, total, size]`. */
function splitTotal(t: HostTensor): HostTensor {
  return transpose(reshape(t, [1, ...t.shape]), [0, 2, 1, 3]);
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
