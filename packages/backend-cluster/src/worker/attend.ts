import {
  type Attention,
  type AttentionInputs,
  cast,
  type DType,
  elementCount,
  type HostTensor,
  isDeviceTensor,
  type Tensor,
  tensor,
} from "@heed/core";
import { type ComputedPart, RefusedError } from "../message/answers.js";
import type { AttendRequest } from "../message/attend.js";
import { MalformedMessageError } from "../message/errors.js";
import { statuses } from "../message/layout.js";
import { receivedProgram } from "../message/programs.js";
import type { PartVersion } from "../message/requests.js";
import type { HeldPart, Holder } from "./holder.js";

/** Members of a call that a message carries beside its rules. */
const carried: ReadonlySet<string> = new Set([
  ...["query", "key", "value", "keyScales", "valueScales", "mask", "bias", "blockMask"],
  ...["kvLengths", "queryOffset", "queryStarts", "keyStarts", "pageTable", "queryPositions"],
  ...["keyPositions", "alibiSlopes", "sinks", "maskMod", "scoreMod", "returns"],
]);

/** The most positions of keys that are made for a call. */
const mostPositions = 2 ** 26;

/**
 * Computes attention over one part of the keys.
 *
 * @param mostBytes of the answer
 * @throws RefusedError, MalformedMessageError, or an error of the local attention (rejects)
 */
export async function attendPart(
  local: Attention,
  holder: Holder,
  request: AttendRequest,
  mostBytes: number,
): Promise<ComputedPart> {
  const parts = partsOf(holder, request);
  const rows = elementCount(request.query.shape.slice(0, 3));
  const [, , , valueDim = 0] = parts.value.tensor.shape;
  if (rows * (valueDim + 1) * 8 > mostBytes) {
    throw new RefusedError(statuses.invalid, "the answer would be larger than a message may be");
  }
  const inputs = inputsOf(parts, request);
  const start = performance.now();
  // Everything that the message says is validated here, before anything is computed.
  const result = (await local.run(inputs)) as unknown as Record<"output" | "logSumExp", Tensor>;
  const output = await toHost(result.output);
  const logSumExp = await toHost(result.logSumExp);
  const computing = performance.now() - start;
  // A part that was written meanwhile may have been read before and after.
  for (const { wanted, held } of parts.all) {
    if (holder.find(wanted) !== held) {
      throw new RefusedError(statuses.otherVersion, "the part was made anew during the call");
    }
  }
  return { output: narrowed(output, request.outputDType), logSumExp, computing };
}

interface CallParts {
  readonly key: HeldPart & { readonly tensor: Tensor };
  readonly value: HeldPart & { readonly tensor: Tensor };
  readonly keyScales: Tensor | null;
  readonly valueScales: Tensor | null;
  readonly all: readonly { readonly wanted: PartVersion; readonly held: HeldPart }[];
}

function partsOf(holder: Holder, { stored }: AttendRequest): CallParts {
  const all: { wanted: PartVersion; held: HeldPart }[] = [];
  const find = (wanted: PartVersion): HeldPart & { readonly tensor: Tensor } => {
    const held = holder.find(wanted);
    all.push({ wanted, held });
    return held;
  };
  const optional = (wanted: PartVersion | null): Tensor | null =>
    wanted === null ? null : find(wanted).tensor;
  return {
    key: find(stored.key),
    value: find(stored.value),
    keyScales: optional(stored.keyScales),
    valueScales: optional(stored.valueScales),
    all,
  };
}

/** The call in the terms of core. */
function inputsOf(parts: CallParts, request: AttendRequest): AttentionInputs {
  const { keyScales, valueScales } = parts;
  const { mask, bias, maskMod, scoreMod, blockMask, queryBlock, keyBlock } = request.cut;
  const { kvLengths, queryStarts, keyStarts, pageTable, keysByIndex } = request.cut;
  const { queryPositions, alibiSlopes, sinks } = request.cut;
  const keyPositions = keysByIndex
    ? indexPositions(parts.key, pageTable)
    : request.cut.keyPositions;
  return {
    ...rulesOf(request.rules),
    query: computed(request.query),
    key: parts.key.tensor,
    value: parts.value.tensor,
    ...(keyScales && { keyScales }),
    ...(valueScales && { valueScales }),
    ...(maskMod && { maskMod: receivedProgram(maskMod, "mask") }),
    ...(scoreMod && { scoreMod: receivedProgram(scoreMod, "score") }),
    ...(mask && { mask }),
    ...(bias && { bias }),
    ...(blockMask && { blockMask: { mask: blockMask, queryBlock, keyBlock } }),
    ...(kvLengths && { kvLengths }),
    ...(queryStarts && { queryStarts }),
    ...(keyStarts && { keyStarts }),
    ...(pageTable && { pageTable }),
    ...(queryPositions && { queryPositions }),
    ...(keyPositions && { keyPositions }),
    ...(alibiSlopes && { alibiSlopes }),
    ...(sinks && { sinks }),
    returns: { logSumExp: true },
  };
}

/** Parts are merged in float32 at least: a float16 query is computed as float32, which loses nothing. */
function computed(query: HostTensor): HostTensor {
  return query.dtype === "float16" ? cast(query, "float32") : query;
}

function rulesOf(text: string): object {
  let rules: unknown;
  try {
    rules = JSON.parse(text);
  } catch (cause) {
    throw new MalformedMessageError("the rules of a call are no JSON", { cause });
  }
  if (typeof rules !== "object" || rules === null || Array.isArray(rules)) {
    throw new MalformedMessageError("the rules of a call are no object");
  }
  const wrong = Object.keys(rules).find((name) => carried.has(name));
  if (wrong !== undefined) throw new MalformedMessageError(`${wrong} is no rule of a call`);
  return rules;
}

/** Positions of the keys of a part by their rows in the whole tensor, kept with the part. */
const positionsOfParts = new WeakMap<HeldPart, { pages: number; positions: HostTensor }>();

function indexPositions(part: HeldPart, pageTable: HostTensor | null): HostTensor {
  const pages = pageTable === null ? 1 : (pageTable.shape[1] ?? 0);
  const known = positionsOfParts.get(part);
  if (known?.pages === pages) return known.positions;
  const { stripes, request } = part;
  const rows = stripes.rowsOf(request.name.part);
  if (pages * rows > mostPositions) {
    throw new RefusedError(statuses.invalid, "a page table reaches too many keys");
  }
  const own = stripes.indices(request.name.part);
  const data = new Int32Array(pages * rows);
  for (let page = 0; page < pages; page++) {
    for (let row = 0; row < rows; row++) {
      data[page * rows + row] = page * stripes.length + (own[row] as number);
    }
  }
  const positions = tensor(data, [1, pages * rows]);
  positionsOfParts.set(part, { pages, positions });
  return positions;
}

async function toHost(t: Tensor): Promise<HostTensor> {
  if (!isDeviceTensor(t)) return t;
  try {
    return await t.read();
  } finally {
    t.dispose();
  }
}

/** The largest float16. */
const float16Max = 65504;

/** @throws RefusedError for numbers that are beyond float16, where it is asked for */
function narrowed(output: HostTensor, dtype: DType): HostTensor {
  if (output.dtype === dtype) return output;
  if (dtype !== "float16") {
    throw new RefusedError(statuses.invalid, `outputs are ${output.dtype}, and not ${dtype}`);
  }
  for (let i = 0; i < elementCount(output.shape); i++) {
    const magnitude = Math.abs(Number(output.data[i]));
    if (magnitude > float16Max && magnitude < Number.POSITIVE_INFINITY) {
      throw new RefusedError(statuses.invalid, "an output is beyond float16");
    }
  }
  return cast(output, "float16");
}
