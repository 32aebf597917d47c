import {
  type DType,
  type FloatDType,
  type HostTensor,
  statisticsDType,
  type TypedArray,
} from "@heed/core";
import type { Scratch } from "../../layout/scratch.js";
import { runtimeTensor } from "../../runtime/native-data.js";
import type { Runtime } from "../../runtime/runtime.js";
import type { PreparedGraph } from "../graph/prepare.js";
import { storedDType } from "../graph/spec.js";
import type { Feeds } from "../position-feeds.js";
import { addProgram } from "../program-feeds.js";
import type { Shape, TileCall } from "./call.js";
import {
  biasShape,
  gatherBias,
  gatherQuery,
  gatherVisited,
  queryInPlace,
  visitedInPlace,
} from "./gather.js";
import type { VisitGroup } from "./groups.js";
import type { GroupBlocks, KeyBlocks } from "./key-blocks.js";
import type { VisitMasks } from "./mask.js";
import { numberFeeds } from "./number-feeds.js";

/** Elements of an input of a group's graph. */
interface GroupArray<D extends DType, Sizes extends readonly number[] = Shape> {
  readonly dtype: D;
  readonly shape: Sizes;
  readonly data: TypedArray;
}

/** Query, keys and values of a group, in place or as the host has put them together, and what it has written about its keys. */
export interface GroupArrays {
  readonly query: GroupArray<FloatDType>;
  /** `[visits, key heads, keys, size]`, or blocks of all keys, `[all blocks, keys of a block, size]`. */
  readonly key: GroupArray<FloatDType, readonly number[]>;
  readonly value: GroupArray<FloatDType, readonly number[]>;
  /** The blocks that the graph gathers; null where keys and values are those of the visits. */
  readonly blocks: KeyBlocks | null;
  readonly mask: GroupArray<"bool"> | null;
  readonly bias: GroupArray<FloatDType> | null;
  /** To be given back after the run. */
  readonly all: readonly TypedArray[];
}

/**
 * @param dtype in which the graph takes query, keys and values
 * @param gathering of graphs that gather keys and values themselves; null where the host does
 */
export function gatheredGroup(
  call: TileCall,
  group: VisitGroup,
  masks: VisitMasks,
  dtype: FloatDType,
  gathering: GroupBlocks | null,
  scratch: Scratch,
): GroupArrays {
  const { problem, bound } = call;
  const { visits, heads, rows, keys } = group;
  const all: TypedArray[] = [];
  const taken = <D extends DType>(type: D, shape: Shape): GroupArray<D> => {
    const data = scratch.take(
      type,
      shape.reduce((a, b) => a * b, 1),
    );
    all.push(data);
    return { dtype: type, shape, data };
  };
  const ofQuery = [visits.length, heads.queries, rows, problem.headDim] as const;
  const placed = queryInPlace(call, group, dtype);
  const query = placed ? { dtype, shape: ofQuery, data: placed } : taken(dtype, ofQuery);
  if (!placed) gatherQuery(call, group, query.data);
  const keyInPlace = visitedInPlace(call, bound.key as HostTensor, group, dtype);
  const valueInPlace = visitedInPlace(call, bound.value as HostTensor, group, dtype);
  const blocks = keyInPlace && valueInPlace ? null : (gathering?.of(call, group, dtype) ?? null);
  const given = (
    name: "key" | "value",
    size: number,
    inPlace: TypedArray | null,
  ): GroupArray<FloatDType, readonly number[]> => {
    const t = bound[name] as HostTensor;
    if (blocks) {
      const count = (t.shape as Shape).reduce((a, b) => a * b, 1);
      const data = (t.data as Float32Array).subarray(t.offset, t.offset + count);
      return { dtype, shape: [count / (blocks.size * size), blocks.size, size], data };
    }
    const shape = [visits.length, heads.keys, keys, size] as const;
    if (inPlace) return { dtype, shape, data: inPlace };
    const into = taken(dtype, shape);
    gatherVisited(call, t, bound[`${name}Scales`] as HostTensor | null, group, into.data);
    return into;
  };
  const key = given("key", problem.headDim, keyInPlace);
  const value = given("value", problem.valueDim, valueInPlace);
  const written = masks.of(group, (length) => {
    const data = scratch.take("bool", length) as Uint8Array;
    all.push(data);
    return data;
  });
  const mask: GroupArrays["mask"] = written && {
    dtype: "bool",
    shape: [visits.length, written.heads, written.rows, keys],
    data: written.data,
  };
  let bias: GroupArrays["bias"] = null;
  if (problem.bias) {
    bias = taken(
      storedDType(problem.bias.dtype, { float16: dtype === "float16" }),
      biasShape(call, group),
    );
    gatherBias(call, group, bias.data);
  }
  return { query, key, value, blocks, mask, bias, all };
}

/** All inputs of a group's graph. */
export function groupFeeds(
  runtime: Runtime,
  call: TileCall,
  group: VisitGroup,
  graph: PreparedGraph,
  arrays: GroupArrays,
): Feeds {
  const feeds: Feeds = {};
  for (const name of ["query", "key", "value", "mask", "bias"] as const) {
    const array = arrays[name];
    if (array)
      feeds[name] = runtimeTensor(runtime, array.dtype as FloatDType, array.data, array.shape);
  }
  const { blocks } = arrays;
  if (blocks) feeds.pageOfHead = new runtime.Tensor("int32", blocks.indices, blocks.shape);
  if (graph.reads.some((name) => !(name in feeds))) {
    const make = numberFeeds(runtime, call, group, graph.spec.far);
    for (const name of graph.reads) {
      const made = make[name]?.();
      if (made) feeds[name] = made;
    }
  }
  const { scoreMod, problem } = call.bound;
  if (scoreMod) addProgram(feeds, runtime, graph.types, scoreMod, statisticsDType(problem.dtype));
  return feeds;
}
