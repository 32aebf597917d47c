import type { CacheOptions } from "@heed/cache";
import {
  type Attention,
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  type Tensor,
  tensor,
} from "@heed/core";
import type { PlacedCall } from "../../contenders/contender.js";
import { toHost } from "../../contenders/to-host.js";
import type { PreparedProcedure, ProcedurePlace } from "../operation.js";
import { type DecodeSizes, growth, rowBytes } from "./problem.js";
import type { DecodeInputs } from "./tokens.js";

/** Tokens that fill a cache at a time. A rolling cache has room for no more beside its window. */
const chunk = growth;

/** Steps through a cache of `@heed/cache`. */
export async function cachedSteps(
  place: ProcedurePlace,
  { sizes, tokens, query }: DecodeInputs,
): Promise<PreparedProcedure> {
  const { createCache } = await import("@heed/cache");
  const { attention } = place;
  const { batch, kvHeads, headDim, length, kind, dtype } = sizes;
  const room = length + growth;
  const cache = await createCache(attention, { batch, kvHeads, headDim, dtype, ...kindOf(sizes) });
  const call = (q: Tensor): AttentionInputs => ({ query: q, ...cache.inputs(), causal: true });
  try {
    const made = await kernelOf(place, call(query));
    return {
      ...made,
      cacheBytes: cache.bytes,
      place: async () => {
        for (let from = 0; from < length; from += chunk) {
          const n = Math.min(chunk, length - from);
          await cache.append({
            key: tokens.chunk("key", from, n),
            value: tokens.chunk("value", from, n),
          });
        }
        const rows = await placeRows(place.attention, cache.backend, {
          query,
          key: tokens.chunk("key", length, 1),
          value: tokens.chunk("value", length, 1),
        });
        const back = new Array<number>(batch).fill(length);
        return {
          inputs: rows.inputs,
          run: async () => {
            await cache.append({ key: rows.key, value: rows.value });
            const outputs = await attention.run(call(rows.query));
            const host = await toHost(outputs, ["output"]);
            if (kind !== "rolling" && (cache.lengths[0] as number) >= room) cache.truncate(back);
            return host;
          },
          dispose: rows.dispose,
        };
      },
      dispose: () => cache.dispose(),
    };
  } catch (error) {
    cache.dispose();
    throw error;
  }
}

/** The options of a kind of cache, with room for as many tokens as are appended before some are taken back. */
function kindOf({ kind, batch, length }: DecodeSizes): Omit<CacheOptions, "kvHeads" | "headDim"> {
  const room = length + growth;
  switch (kind) {
    case "rolling":
      return { kind, capacity: room, window: length - 1 };
    case "paged":
      // Each sequence may end in a page that it does not fill.
      return { kind, capacity: batch * (room + 16), maxLength: room };
    default:
      return { kind: "static", capacity: room };
  }
}

/** Steps that make new keys and values, one token longer, in JavaScript's memory. */
export async function concatenatingSteps(
  place: ProcedurePlace,
  { sizes, tokens, query }: DecodeInputs,
): Promise<PreparedProcedure> {
  const { batch, kvHeads, headDim, length } = sizes;
  const first = { key: tokens.chunk("key", 0, length), value: tokens.chunk("value", 0, length) };
  const row = { key: tokens.chunk("key", length, 1), value: tokens.chunk("value", length, 1) };
  const longer = () => ({
    key: joined(first.key, row.key),
    value: joined(first.value, row.value),
  });
  const made = await kernelOf(place, { query, ...longer() });
  return {
    ...made,
    cacheBytes: 2 * batch * kvHeads * (length + 1) * rowBytes({ ...sizes, headDim }),
    place: async () => {
      let past = first;
      return {
        inputs: "host",
        run: async () => {
          past = { key: joined(past.key, row.key), value: joined(past.value, row.value) };
          const outputs = await place.attention.run({ query, ...past });
          if ((past.key.shape[2] as number) >= length + growth) past = first;
          return toHost(outputs, ["output"]);
        },
        dispose: () => {},
      };
    },
    dispose: () => {},
  };
}

/** `[batch, heads, n, headDim]` and `[batch, heads, 1, headDim]`, row-major, along the third axis. */
function joined(past: HostTensor<"float32">, row: HostTensor<"float32">): HostTensor<"float32"> {
  const [batch = 0, heads = 0, n = 0, headDim = 0] = past.shape;
  const data = new Float32Array(batch * heads * (n + 1) * headDim);
  const size = n * headDim;
  for (let head = 0; head < batch * heads; head++) {
    const at = head * (size + headDim);
    data.set(past.data.subarray(head * size, (head + 1) * size), at);
    data.set(row.data.subarray(head * headDim, (head + 1) * headDim), at + size);
  }
  return tensor(data, [batch, heads, n + 1, headDim]);
}

/** The kernel of the attention of a step. @throws UnsupportedError (rejects) where there is none */
async function kernelOf(
  { backend }: ProcedurePlace,
  inputs: AttentionInputs,
): Promise<Pick<PreparedProcedure, "kernel" | "workspaceBytes">> {
  const plan = await backend.plan(describeProblem(inputs));
  const { kernel, workspaceBytes } = plan.description;
  plan.dispose();
  return { kernel, workspaceBytes };
}

interface PlacedRows extends Pick<PlacedCall, "inputs" | "dispose"> {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/**
 * A token's rows where the cache is: a layer's projections leave them there.
 *
 * @param backend whose memory that is; null for JavaScript's
 */
async function placeRows(
  attention: Attention,
  backend: string | null,
  rows: Readonly<Record<"query" | "key" | "value", HostTensor>>,
): Promise<PlacedRows> {
  if (backend === null) return { inputs: "host", ...rows, dispose: () => {} };
  const upload = (t: HostTensor) => attention.upload(t, { backend });
  const query = await upload(rows.query);
  const key = await upload(rows.key);
  const value = await upload(rows.value);
  return {
    inputs: "resident",
    query,
    key,
    value,
    dispose: () => {
      for (const t of [query, key, value]) t.dispose();
    },
  };
}
