import {
  type Attention,
  type AttentionInputs,
  type FloatDType,
  type HostTensor,
  mergePartials,
  type PartialAttention,
  slice,
  toFloat64,
} from "@heed/core";
import {
  type OnnxAttentionAttributes,
  type OnnxAttentionInputs,
  type OnnxAttentionOutputName,
  onnxAttention,
} from "@heed/core/onnx";
import { unitRoundoff } from "./judge/allowance.js";
import { compareRows } from "./judge/compare.js";
import { judge } from "./judge/judge.js";
import { summarise, type Verdict } from "./judge/verdict.js";
import type { SafeTensors } from "./safetensors.js";
import { loadVector, type ReadVector, realCall, type VectorCase } from "./vectors.js";

/**
 * Runs a recorded vector and judges the outputs against the recorded ones.
 *
 * @param attention over the backend under test only
 * @param naive over the naive evaluation, whose error sets the budget of what is not one plain call
 * @throws UnsupportedError where the backend refuses a problem of it
 */
export async function runVector(
  c: VectorCase,
  attention: Attention,
  naive: Attention,
  read?: ReadVector,
): Promise<Verdict> {
  const file = await loadVector(c, read);
  switch (c.folder) {
    case "onnx":
      return runOnnx(file, attention, naive);
    case "torch":
      return runTorch(file, attention);
    case "serving":
      return c.name.startsWith("merge")
        ? runMerge(file, attention, naive)
        : runDecode(file, attention);
    case "real": {
      const { inputs, expected } = realCall(c, file);
      return judge(inputs, await attention.run(inputs), expected);
    }
  }
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

async function runTorch(file: SafeTensors, attention: Attention): Promise<Verdict> {
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
  const expected = { output: tensors["out.o"], logSumExp: tensors["out.lse"] };
  return judge(inputs, await attention.run(inputs), expected);
}

async function runDecode(file: SafeTensors, attention: Attention): Promise<Verdict> {
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
  const expected = { output: tensors["out.o"], logSumExp: tensors["out.lse"] };
  return judge(inputs, await attention.run(inputs), expected);
}

/** Each part on its own, then merged: checks the parts' log-sum-exp and core's `mergePartials`. */
async function runMerge(
  file: SafeTensors,
  attention: Attention,
  naive: Attention,
): Promise<Verdict> {
  const { tensors } = file;
  const attributes = attributesOf(file);
  const [query, key, value] = ["in.q", "in.k", "in.v"].map((name) => tensors[name]) as [
    HostTensor,
    HostTensor,
    HostTensor,
  ];
  const splits = [...((tensors["in.splits"] as HostTensor).data as Int32Array)];
  const offset = (key.shape[2] as number) - (query.shape[2] as number);
  const merged = async (on: Attention): Promise<PartialAttention> => {
    const parts: PartialAttention[] = [];
    for (const [p, start] of splits.slice(0, -1).entries()) {
      const end = splits[p + 1] as number;
      const { output, logSumExp } = await on.run({
        query,
        key: slice(key, 2, start, end),
        value: slice(value, 2, start, end),
        causal: attributes.causal !== "none",
        window: windowOf(attributes),
        queryOffset: offset - start,
        scale: attributes.scale,
        returns: { logSumExp: true },
      });
      parts.push({ output, logSumExp: logSumExp as HostTensor });
    }
    return mergePartials(parts);
  };
  const got = await merged(attention);
  const plain = await merged(naive);
  return compareRecorded([
    ["output", got.output, plain.output, tensors["out.o"] as HostTensor],
    ["logSumExp", got.logSumExp, plain.logSumExp, tensors["out.lse"] as HostTensor],
  ]);
}

async function runOnnx(
  { tensors, metadata }: SafeTensors,
  attention: Attention,
  naive: Attention,
): Promise<Verdict> {
  const pick = (prefix: string): [string, HostTensor][] =>
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, t]) => [name.slice(prefix.length), t]);
  const inputs = Object.fromEntries(pick("in.")) as unknown as OnnxAttentionInputs;
  const attributes: OnnxAttentionAttributes = JSON.parse(metadata.attributes as string);
  const recorded = pick("out.") as [OnnxAttentionOutputName, HostTensor][];
  const outputs = recorded.map(([name]) => name);
  const got = await onnxAttention(attention, inputs, attributes, { outputs });
  const plain = await onnxAttention(naive, inputs, attributes, { outputs });
  return compareRecorded(
    recorded.map(([name, t]) => [name, got[name], plain[name] as HostTensor, t]),
  );
}

/** Recorded outputs are themselves rounded to the dtype: the floor has room for that. */
function compareRecorded(
  outputs: readonly (readonly [string, HostTensor | undefined, HostTensor, HostTensor])[],
): Verdict {
  const violations: string[] = [];
  const comparisons = [];
  for (const [name, got, naive, recorded] of outputs) {
    if (got === undefined || got.shape.join() !== recorded.shape.join()) {
      violations.push(`${name} has shape [${got?.shape}] instead of [${recorded.shape}]`);
      continue;
    }
    const values = toFloat64(got);
    if (values.some(Number.isNaN)) violations.push(`${name} has NaN`);
    const expected = toFloat64(recorded);
    const rowSize = recorded.shape.at(-1) as number;
    const dtype = got.dtype as FloatDType;
    comparisons.push(
      compareRows({
        name,
        shape: recorded.shape,
        rowSize,
        dtype,
        got: values,
        expected,
        naive: toFloat64(naive),
        factor: 3,
        floor: (row) => {
          const finite = expected
            .subarray(row * rowSize, (row + 1) * rowSize)
            .filter(Number.isFinite)
            .map(Math.abs);
          return 8 * unitRoundoff[dtype] * Math.max(1, ...finite);
        },
      }),
    );
  }
  return summarise(comparisons, violations);
}
