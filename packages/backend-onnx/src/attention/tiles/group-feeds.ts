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
import type { TileCall } from "./call.js";
import { biasShape, gatherBias, gatherQuery, gatherVisited, visitedInPlace } from "./gather.js";
import type { VisitGroup } from "./groups.js";
import type { VisitMasks } from "./mask.js";
import { numberFeeds } from "./number-feeds.js";

/** Sizes of a tensor of rank 4. */
export type Shape = readonly [number, number, number, number];

/** Elements of an input of a group's graph. */
interface GroupArray<D extends DType> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: TypedArray;
}

/** Query, keys and values that the host has put together for a group, and what it has written about its keys. */
export interface GroupArrays {
  readonly query: GroupArray<FloatDType>;
  readonly key: GroupArray<FloatDType>;
  readonly value: GroupArray<FloatDType>;
  readonly mask: GroupArray<"bool"> | null;
  readonly bias: GroupArray<FloatDType> | null;
  /** To be given back after the run. */
  readonly all: readonly TypedArray[];
}

/** @param dtype in which the graph takes query, keys and values */
export function gatheredGroup(
  call: TileCall,
  group: VisitGroup,
  masks: VisitMasks,
  dtype: FloatDType,
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
  const query = taken(dtype, [visits.length, heads.queries, rows, problem.headDim]);
  gatherQuery(call, group, query.data);
  const gathered = (name: "key" | "value", size: number): GroupArray<FloatDType> => {
    const t = bound[name] as HostTensor;
    const shape = [visits.length, heads.keys, keys, size] as const;
    const inPlace = visitedInPlace(call, t, group, dtype);
    if (inPlace) return { dtype, shape, data: inPlace };
    const into = taken(dtype, shape);
    gatherVisited(call, t, bound[`${name}Scales`] as HostTensor | null, group, into.data);
    return into;
  };
  const key = gathered("key", problem.headDim);
  const value = gathered("value", problem.valueDim);
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
  return { query, key, value, mask, bias, all };
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
  const make = numberFeeds(runtime, call, group, graph.spec.far);
  for (const name of graph.reads) {
    const made = make[name]?.();
    if (made) feeds[name] = made;
  }
  const { scoreMod, problem } = call.bound;
  if (scoreMod) addProgram(feeds, runtime, graph.types, scoreMod, statisticsDType(problem.dtype));
  return feeds;
}
