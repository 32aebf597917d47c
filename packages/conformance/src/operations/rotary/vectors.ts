import { createAttention, type HostTensor, slice, splitHeads, toFloat64 } from "@heed/core";
import { readSafeTensors } from "@heed/core/safetensors";
import { readPackagedVector } from "../../calls/vectors.js";
import { borrow } from "../../run/borrow.js";
import type { OperationCase, OperationContext, OperationFinding } from "../../run/case.js";
import { checkCall, complaint, runCall } from "../../run/check-call.js";
import { difference, toleranceOf } from "../attention/laws/compare.js";
import type { RotaryCall } from "./build.js";
import { judgeRotary } from "./judge.js";
import { judgedRotary } from "./judged.js";

const onnx = [
  "test_rotary_embedding",
  "test_rotary_embedding_3d_input",
  "test_rotary_embedding_no_position_ids",
  "test_rotary_embedding_with_interleaved_rotary_dim",
] as const;

type Tensors = Readonly<Record<string, HostTensor>>;

async function load(path: string, { readVector }: OperationContext) {
  return readSafeTensors(await (readVector ?? readPackagedVector)(`${path}.safetensors`));
}

/** The operator's inputs: rank 3 has the heads side by side, and a rotary dimension of 0 means all. */
function onnxCall(tensors: Tensors, attributes: Record<string, number>): RotaryCall {
  const { interleaved = 0, rotary_embedding_dim: rotaryDim = 0, num_heads: heads } = attributes;
  const input = tensors["in.input"] as HostTensor;
  return {
    input: input.shape.length === 3 ? (splitHeads(input, heads as number) as HostTensor) : input,
    cos: tensors["in.cos_cache"],
    sin: tensors["in.sin_cache"],
    ...(tensors["in.position_ids"] && { positions: tensors["in.position_ids"] }),
    ...(rotaryDim > 0 && { rotaryDim }),
    interleaved: interleaved !== 0,
  };
}

/** Keys turned as they enter a cache, and attention over it by turned queries. */
async function checkAppend(context: OperationContext): Promise<OperationFinding> {
  const { tensors, metadata } = await load("serving/append_rope_half_gqa", context);
  const { theta, scale } = JSON.parse(metadata.attributes as string);
  const offset = (tensors["in.cache_lens"] as HostTensor).data as Int32Array;
  const [q, added] = [tensors["in.q"], tensors["in.k_new"]] as [HostTensor, HostTensor];
  const count = added.shape[2] as number;
  const queries = { input: q, offset, theta };
  const query = (await runCall(judgedRotary, queries, context))?.output;
  const turned = (await runCall(judgedRotary, { input: added, offset, theta }, context))?.output;
  if (!query || !turned) return checkCall(judgedRotary, queries, context);
  const failures: string[] = [];
  const cached = tensors["out.k_cache"] as HostTensor;
  for (const [b, from] of offset.entries()) {
    const one = (t: HostTensor): HostTensor => slice(t, 0, b, b + 1);
    const call = { input: one(added), offset: from, theta };
    const recorded = slice(one(cached), 2, from, from + count);
    const wrong = complaint(
      judgeRotary(call, { output: copyOf(one(turned)) }, context.arithmetic, { output: recorded }),
    );
    if (wrong !== null) failures.push(`keys of batch ${b}: ${wrong}`);
  }
  const key = withRows(tensors["in.k_cache"] as HostTensor, turned, offset);
  const value = withRows(
    tensors["in.v_cache"] as HostTensor,
    tensors["in.v_new"] as HostTensor,
    offset,
  );
  const { backend } = context;
  const attention = await createAttention({
    backends: [{ name: backend.name, load: async () => borrow(backend) }],
    selfTest: false,
    fallback: "silent",
  });
  try {
    const call = {
      query,
      key,
      value,
      kvLengths: Int32Array.from(offset, (length) => length + count),
      causal: true,
      queryOffset: "bottom-right" as const,
      scale,
      returns: { logSumExp: true },
    };
    const { output, logSumExp } = await attention.run(call);
    const recorded = { output: tensors["out.o"], logSumExp: tensors["out.lse"] };
    const wrong = difference({ output, logSumExp } as never, recorded as never, toleranceOf(call));
    if (wrong !== null) failures.push(`attention over the cache: ${wrong}`);
  } finally {
    await attention.dispose();
  }
  return { failures };
}

function copyOf(t: HostTensor): HostTensor {
  return { ...t, data: Float32Array.from(toFloat64(t)), strides: rowMajor(t.shape), offset: 0 };
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
}

/** A copy of a cache with new rows of each batch from where its own end. */
function withRows(cache: HostTensor, rows: HostTensor, from: Int32Array): HostTensor {
  const [, heads, capacity, size] = cache.shape as [number, number, number, number];
  const count = rows.shape[2] as number;
  const data = Float32Array.from(toFloat64(cache));
  const added = toFloat64(rows);
  for (const [b, start] of from.entries()) {
    for (let h = 0; h < heads; h++) {
      const at = (b * heads + h) * count * size;
      data.set(added.subarray(at, at + count * size), ((b * heads + h) * capacity + start) * size);
    }
  }
  return { ...cache, data, strides: rowMajor(cache.shape), offset: 0 };
}

/** Recorded vectors of other projects' rotary embeddings. */
export const rotaryVectors: readonly OperationCase[] = [
  ...onnx.map(
    (name): OperationCase => ({
      id: `vectors/onnx/${name}`,
      profile: "rotary",
      operation: "rotary",
      check: async (context) => {
        const { tensors, metadata } = await load(`onnx/${name}`, context);
        const call = onnxCall(tensors, JSON.parse(metadata.attributes as string));
        const recorded = tensors["out.output"] as HostTensor;
        const heads = call.input.shape[1] as number;
        const output =
          recorded.shape.length === 3 ? (splitHeads(recorded, heads) as HostTensor) : recorded;
        return checkCall(judgedRotary, call, context, { output });
      },
    }),
  ),
  {
    id: "vectors/serving/append_rope_half_gqa",
    profile: "rotary",
    operation: "rotary",
    check: checkAppend,
  },
];
