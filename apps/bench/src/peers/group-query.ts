import { encodeModel, GraphBuilder } from "@heed/backend-onnx/model";
import { elementCount, type HostTensor, type SupportReason, tensor } from "@heed/core";
import type { LoadedRuntime, OnnxPlace } from "@heed/peers/onnx";
import type {
  Contender,
  ContenderPlan,
  LoadedContender,
  PlacedCall,
} from "../contenders/contender.js";
import { messageOf } from "../message.js";
import {
  type DecodeDType,
  type DecodeProblem,
  type DecodeSizes,
  growth,
} from "../operations/decode/problem.js";
import type { DecodeInputs, Side } from "../operations/decode/tokens.js";

type OrtTensor = InstanceType<LoadedRuntime["runtime"]["Tensor"]>;
type Session = Awaited<ReturnType<LoadedRuntime["create"]>>;

/** Bytes that WebAssembly can address. */
const wasmBytes = 2 ** 32;
/** The operator's past and present, of keys and of values, beside the copies that go in and come out. */
const copiesInWasm = 2;

/**
 * onnxruntime's operator GroupQueryAttention with a cache of its own: in Node it reads and writes one array,
 * in WebAssembly the cache goes in and comes out at each step.
 */
export function groupQueryPeer(
  name: string,
  place: OnnxPlace["package"],
  threads: number,
  importOnnx: () => Promise<typeof import("@heed/peers/onnx")>,
): Contender {
  return {
    name,
    kind: "peer",
    load: async () => {
      const { loadRuntime } = await importOnnx();
      const loaded = await loadRuntime({ package: place, provider: "cpu" }, threads);
      return loadedPeer(loaded, place, await int8Missing(loaded));
    },
  };
}

/** Why the installed version has no cache of int8; null if it has. Whether it does shows in a session. */
async function int8Missing({ create }: LoadedRuntime): Promise<string | null> {
  const sizes = { batch: 1, queryHeads: 1, kvHeads: 1, headDim: 8, length: 1 };
  try {
    const session = await create(modelOf({ ...sizes, kind: "static", dtype: "int8" }));
    await session.release();
    return null;
  } catch (error) {
    return `its GroupQueryAttention has no cache of int8: ${messageOf(error).split("\n")[0]}`;
  }
}

function loadedPeer(
  loaded: LoadedRuntime,
  place: OnnxPlace["package"],
  noInt8: string | null,
): LoadedContender {
  const reasonOf = (problem: DecodeProblem): SupportReason | null => {
    const reason = (code: string, message: string) => ({ code, message });
    if (problem.operation !== "decode") return reason("operation", "it decodes, and nothing else");
    const { kind, dtype, inputDType } = problem;
    if (kind !== "static") return reason("kind", "its cache is an array of a fixed size: static");
    if (inputDType !== "float32") return reason("dtype", `no queries of ${inputDType} here`);
    if (dtype === "float16") return reason("dtype", "no cache of float16 under float32 queries");
    if (dtype === "int8" && noInt8 !== null) return reason("dtype", noInt8);
    const bytes = 2 * copiesInWasm * elementCount(shapeOf(problem)) * (dtype === "int8" ? 1 : 4);
    if (place === "web" && bytes > wasmBytes) {
      return reason("memory", "its cache and the next one do not fit into WebAssembly's 4 GiB");
    }
    return null;
  };
  return {
    info: loaded.info,
    supports: (problem) => {
      const found = reasonOf(problem as DecodeProblem);
      return found === null ? { ok: true } : { ok: false, reasons: [found] };
    },
    plan: async (problem, inputs) => {
      const session = await loaded.create(modelOf(problem as DecodeProblem));
      return planned(loaded, session, place, inputs as DecodeInputs);
    },
    dispose: () => {},
  };
}

function shapeOf({ batch, kvHeads, length, headDim }: DecodeSizes): number[] {
  return [batch, kvHeads, length + growth, headDim];
}

/** One node; int8 has a scale for all elements of keys, and the same one for those of values. */
function modelOf(sizes: DecodeSizes): Uint8Array {
  const { batch, queryHeads, kvHeads, headDim, dtype } = sizes;
  const int8 = dtype === "int8";
  const stored = int8 ? "int8" : "float32";
  const shape = shapeOf(sizes);
  const g = new GraphBuilder(18);
  const packed = (name: string, heads: number) =>
    g.input(name, "float32", [batch, 1, heads * headDim]);
  const inputs = [
    packed("query", queryHeads),
    packed("key", kvHeads),
    packed("value", kvHeads),
    g.input("past_key", stored, shape),
    g.input("past_value", stored, shape),
    g.input("lengths", "int32", [batch]),
    g.input("total", "int32", []),
  ];
  if (int8) {
    const scale = g.scalar("float32", 1 / 127);
    // Between them: rotary tables, positions, a bias and sinks.
    inputs.push("", "", "", "", "", scale, scale);
  }
  const [output, key, value] = g.node(
    "GroupQueryAttention",
    inputs,
    ["output", "present_key", "present_value"],
    {
      num_heads: queryHeads,
      kv_num_heads: kvHeads,
      ...(int8 && {
        k_quant_type: "PER_TENSOR",
        v_quant_type: "PER_TENSOR",
        kv_cache_bit_width: 8,
      }),
    },
    "com.microsoft",
  ) as [string, string, string];
  g.output("output", output, "float32", [batch, 1, queryHeads * headDim]);
  g.output("present_key", key, stored, shape);
  g.output("present_value", value, stored, shape);
  return encodeModel(g.build());
}

function planned(
  { runtime }: LoadedRuntime,
  session: Session,
  place: OnnxPlace["package"],
  { sizes, tokens, query }: DecodeInputs,
): ContenderPlan {
  const { batch, queryHeads, kvHeads, headDim, length, dtype } = sizes;
  const shape = shapeOf(sizes);
  const inPlace = place === "node";
  const filled = (side: Side): OrtTensor => {
    const rows = tokens.chunk(side, 0, length).data;
    const elements = cacheOf(dtype, elementCount(shape));
    const [from, to] = [length * headDim, (length + growth) * headDim];
    for (let head = 0; head < batch * kvHeads; head++) {
      for (let at = 0; at < from; at++) {
        const x = rows[head * from + at] as number;
        elements[head * to + at] = dtype === "int8" ? Math.round(127 * x) : x;
      }
    }
    return new runtime.Tensor(dtype === "int8" ? "int8" : "float32", elements, shape);
  };
  return {
    kernel: `operator GroupQueryAttention, ${inPlace ? "its cache in place" : "a new cache at each step"}`,
    workspaceBytes: null,
    cacheBytes: 2 * elementCount(shape) * (dtype === "int8" ? 1 : 4),
    place: async (): Promise<PlacedCall> => {
      let past = { key: filled("key"), value: filled("value") };
      const packed = (t: HostTensor, heads: number) =>
        new runtime.Tensor("float32", t.data as Float32Array, [batch, 1, heads * headDim]);
      const rows = {
        query: packed(query, queryHeads),
        key: packed(tokens.chunk("key", length, 1), kvHeads),
        value: packed(tokens.chunk("value", length, 1), kvHeads),
      };
      // Outputs that are given are written: the cache that was read.
      const fetches = inPlace
        ? { output: null, present_key: past.key, present_value: past.value }
        : ["output", "present_key", "present_value"];
      let step = 0;
      return {
        inputs: "host",
        run: async () => {
          const total = length + 1 + (step++ % growth);
          const lengths = new Int32Array(batch).fill(total - 1);
          const feeds = {
            ...rows,
            past_key: past.key,
            past_value: past.value,
            lengths: new runtime.Tensor("int32", lengths, [batch]),
            total: new runtime.Tensor("int32", Int32Array.of(total), []),
          };
          const results = await session.run(feeds, fetches as string[]);
          const { output, present_key, present_value } = results as Record<string, OrtTensor>;
          past = { key: present_key as OrtTensor, value: present_value as OrtTensor };
          const data = output?.data as Float32Array;
          return { output: tensor(data, [batch, queryHeads, 1, headDim]) };
        },
        dispose: () => {},
      };
    },
    dispose: () => void session.release(),
  };
}

function cacheOf(dtype: DecodeDType, count: number): Int8Array | Float32Array {
  return dtype === "int8" ? new Int8Array(count) : new Float32Array(count);
}
