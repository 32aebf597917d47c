import { type FloatDType, InvalidInputError } from "@heed/core";
import {
  backendNames,
  backendSpec,
  defaultBackendNames,
  mostThreads,
} from "./contenders/backends.js";
import { isPath } from "./contenders/registry/registry.js";
import { type ModelRequest, modelFromParams, modelToParams } from "./model/request.js";
import { peerNames } from "./peers/peers.js";
import { parseWorkloads } from "./workloads/file.js";
import { selectNames, selectWorkloads, workloads } from "./workloads/select.js";
import { formatShape } from "./workloads/shape.js";
import type { Workload } from "./workloads/workload.js";

/** A measurement to make, by names, as a command line or a page's URL specifies it. */
export interface RunRequest {
  /** Suites, ids and patterns. */
  readonly cases: readonly string[];
  /** The user's own, beside the cases. */
  readonly own: readonly Workload[];
  /** A model whose attention is measured beside the cases; null for none. */
  readonly model: ModelRequest | null;
  /** E.g. `wasm`, `wasm@2` for threads of its own, or `./mine.js`, a module that exports a provider. */
  readonly backends: readonly string[];
  readonly peers: readonly string[];
  readonly dtype: FloatDType;
  readonly threads: number;
  /** ms for one contender and case. */
  readonly budget: number;
  /** Timed calls of each, whatever they cost; null: what the budget allows. */
  readonly samples: number | null;
  readonly ceiling: boolean;
  /** Whether what computes something wrong is timed, too, and marked as such. */
  readonly timeWrong: boolean;
  /** ms for a backend to measure its own choices for a case before it is timed; null: it chooses by rule. */
  readonly tune: number | null;
}

/** ms for one contender and case: everything but the slowest fits into two minutes. */
export const defaultBudget = 1000;

/** ms for a backend to measure its own choices for a case, where that is asked for without a time. */
export const defaultTuneBudget = 1000;

/** The measurement that is made if nothing is specified. */
export const defaultRequest: RunRequest = {
  cases: ["standard"],
  own: [],
  model: null,
  backends: defaultBackendNames,
  peers: [],
  dtype: "float32",
  threads: 1,
  budget: defaultBudget,
  samples: null,
  ceiling: false,
  timeWrong: false,
  tune: null,
};

/**
 * The request's workloads, in the order of the list, then the user's own.
 *
 * @throws UnknownNameError, InvalidInputError for an id of theirs that another has
 */
export function workloadsOf({ cases, own }: Pick<RunRequest, "cases" | "own">): Workload[] {
  const taken = new Set(workloads.map(({ id }) => id));
  for (const { id } of own) {
    if (taken.has(id)) throw new InvalidInputError("workloads", "ids used once", `${id} twice`);
    taken.add(id);
  }
  return [...selectWorkloads(cases), ...own];
}

/** Names of all parameters that {@link requestToParams} may write. */
export const requestParameters: ReadonlySet<string> = new Set([
  ...["cases", "own", "model", "model-name", "feeds", "random", "data", "backends", "peers"],
  ...["dtype", "threads", "budget", "samples", "ceiling", "time-wrong", "tune"],
]);

/** The request as a URL says it; what is as by default is left out. */
export function requestToParams(request: RunRequest): URLSearchParams {
  const params = new URLSearchParams();
  const list = (name: "cases" | "backends" | "peers") => {
    if (String(request[name]) !== String(defaultRequest[name])) {
      params.set(name, request[name].join(","));
    }
  };
  list("cases");
  if (request.own.length > 0) params.set("own", JSON.stringify(request.own.map(describeOwn)));
  if (request.model) modelToParams(request.model, params);
  list("backends");
  list("peers");
  for (const name of ["dtype", "threads", "budget", "samples", "ceiling", "tune"] as const) {
    if (request[name] !== defaultRequest[name]) params.set(name, String(request[name]));
  }
  if (request.timeWrong) params.set("time-wrong", "true");
  return params;
}

/** As {@link parseWorkloads} reads it. */
function describeOwn({ id, title, source, shape }: Workload): object {
  if (!shape) throw new InvalidInputError("own", "workloads with a shape", id);
  return { shape: formatShape(shape), id, title, source };
}

/**
 * Reads what {@link requestToParams} wrote, or what somebody typed. Parameters that it does not know
 * are left alone.
 *
 * @throws InvalidInputError, UnknownNameError naming the parameter at fault
 */
export function requestFromParams(params: URLSearchParams): RunRequest {
  const list = (name: string): readonly string[] | null =>
    params.get(name)?.split(",").filter(Boolean) ?? null;
  const own = params.get("own");
  const model = modelFromParams(params);
  const request: RunRequest = {
    cases: list("cases") ?? (own === null && !model ? defaultRequest.cases : []),
    own: own === null ? [] : parseWorkloads(parseJson("own", own)),
    model,
    backends: list("backends") ?? defaultRequest.backends,
    peers: list("peers") ?? defaultRequest.peers,
    dtype: oneOf("dtype", params.get("dtype") ?? defaultRequest.dtype),
    threads: positive("threads", params.get("threads"), mostThreads) ?? defaultRequest.threads,
    budget: positive("budget", params.get("budget")) ?? defaultRequest.budget,
    samples: positive("samples", params.get("samples")),
    ceiling: params.get("ceiling") === "true",
    timeWrong: params.get("time-wrong") === "true",
    tune: positive("tune", params.get("tune")),
  };
  workloadsOf(request);
  selectBackends(request.backends);
  selectNames("peers", request.peers, peerNames);
  return request;
}

/**
 * Checks names of backends, which may have threads of their own, or be paths of modules.
 *
 * @throws UnknownNameError, RangeError
 * @returns each once
 */
export function selectBackends(specs: readonly string[]): readonly string[] {
  selectNames(
    "backends",
    specs.filter((spec) => !isPath(spec)).map((spec) => spec.split(/[@:]/)[0] as string),
    backendNames,
  );
  for (const spec of specs) backendSpec(spec);
  return [...new Set(specs)];
}

const dtypes: readonly FloatDType[] = ["float32", "float16", "float64"];

function oneOf(name: string, text: string): FloatDType {
  const dtype = dtypes.find((candidate) => candidate === text);
  if (!dtype) throw new InvalidInputError(name, `one of ${dtypes.join(", ")}`, text);
  return dtype;
}

function positive(name: string, text: string | null, most?: number): number | null {
  if (text === null) return null;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || (most !== undefined && number > most)) {
    const expected = most === undefined ? "an integer ≥ 1" : `an integer from 1 to ${most}`;
    throw new InvalidInputError(name, expected, text);
  }
  return number;
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidInputError(name, "JSON", text, { cause });
  }
}
