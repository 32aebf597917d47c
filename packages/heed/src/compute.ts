import {
  type Attention,
  type AttentionInputs,
  checkTensor,
  type DeviceTensor,
  InvalidInputError,
  isDeviceTensor,
  reshape,
  type Tensor,
  tensor,
} from "@heed/core";
import { describeValue } from "@heed/core/select";
import type { HostInput, ScaledDotProductOptions } from "./inputs.js";
import { open } from "./open.js";

/** The options that are known; anything else is an error that may know what was meant. */
const optionNames: ReadonlySet<string> = new Set<keyof ScaledDotProductOptions>([
  "attnMask",
  "dropoutP",
  "isCausal",
  "scale",
  "enableGqa",
  "attention",
  "signal",
  "timeout",
]);

/** The attention of calls that bring none; forgotten if it cannot be made, so that a later call tries again. */
let shared: Promise<Attention> | null = null;

/** `scaledDotProductAttention`, which imports this module when it is first called. */
export async function compute(
  query: HostInput | DeviceTensor,
  key: HostInput | DeviceTensor,
  value: HostInput | DeviceTensor,
  options: ScaledDotProductOptions<HostInput | DeviceTensor>,
): Promise<Tensor> {
  await checkOptions(options);
  const {
    attnMask,
    isCausal = false,
    scale,
    enableGqa = false,
    attention,
    signal,
    timeout,
  } = options;
  const [q, k, v] = [read("query", query), read("key", key), read("value", value)];
  const rank = q.shape.length;
  if (rank < 2 || rank > 4) {
    const expected = "rank 2 to 4, [(batch, heads,) length, headDim]";
    throw new InvalidInputError("query", expected, `shape [${q.shape.join(", ")}]`);
  }
  for (const [name, t] of [
    ["key", k],
    ["value", v],
  ] as const) {
    if (t.shape.length === rank) continue;
    throw new InvalidInputError(name, `rank ${rank}, as the query`, `rank ${t.shape.length}`);
  }
  const heads = (t: Tensor): number => (rank === 2 ? 1 : (t.shape[rank - 3] as number));
  if (!enableGqa && heads(k) !== heads(q)) {
    const expected = `${heads(q)} heads as the query, or enableGqa: true`;
    throw new InvalidInputError("key", expected, `${heads(k)} heads`);
  }
  if (isCausal && attnMask !== undefined) {
    throw new InvalidInputError("attnMask", "no mask together with isCausal", "a mask");
  }
  const mask = attnMask === undefined ? undefined : read("attnMask", attnMask);
  const inputs: AttentionInputs = {
    query: toRank4(q),
    key: toRank4(k),
    value: toRank4(v),
    ...(mask && (mask.dtype === "bool" ? { mask } : { bias: mask })),
    // Top left, however many keys there are.
    ...(isCausal && { causal: true, queryOffset: 0 }),
    ...(scale !== undefined && { scale }),
  };
  const chosen = attention ?? (await sharedAttention());
  const limits = signal === undefined && timeout === undefined ? undefined : { signal, timeout };
  const { output } = await chosen.run(inputs, limits);
  return rank === 4 ? output : reshape(output, output.shape.slice(4 - rank));
}

function sharedAttention(): Promise<Attention> {
  if (shared === null) {
    shared = open(undefined);
    shared.catch(() => {
      shared = null;
    });
  }
  return shared;
}

/** A mask needs none of this: shorter shapes broadcast. */
function toRank4(t: Tensor): Tensor {
  const missing = 4 - t.shape.length;
  return missing === 0 ? t : reshape(t, [...[1, 1].slice(0, missing), ...t.shape]);
}

function read(argument: string, given: HostInput | DeviceTensor): Tensor {
  if (isDeviceTensor(given)) return given;
  if (ArrayBuffer.isView(given) || Array.isArray(given)) {
    throw new InvalidInputError(
      argument,
      "a tensor, or { data, shape }",
      `${describeValue(given)} without a shape`,
    );
  }
  if (typeof given === "object" && given !== null && !("strides" in given)) {
    const { data, shape, dtype } = given;
    try {
      return tensor(data, shape, dtype === undefined ? {} : { dtype });
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      const { argument: member, expected, actual } = error;
      throw new InvalidInputError(`${argument}.${member}`, expected, actual, { cause: error });
    }
  }
  // Core checks the rest, but the shape is looked at before.
  checkTensor(argument, given);
  return given;
}

async function checkOptions(options: ScaledDotProductOptions<unknown>): Promise<void> {
  if (typeof options !== "object" || options === null) {
    throw new InvalidInputError("options", "an object", describeValue(options));
  }
  const unknown = Object.keys(options).find((name) => !optionNames.has(name));
  if (unknown !== undefined) {
    const { meant } = await import("./other-names.js");
    const expected = meant(unknown) ?? `only ${[...optionNames].join(", ")}`;
    throw new InvalidInputError(`options.${unknown}`, expected, describeValue(unknown));
  }
  if (options.dropoutP !== undefined && options.dropoutP !== 0) {
    const expected = "0: dropout belongs to training";
    throw new InvalidInputError("dropoutP", expected, describeValue(options.dropoutP));
  }
  for (const name of ["isCausal", "enableGqa"] as const) {
    const value: unknown = options[name];
    if (value === undefined || typeof value === "boolean") continue;
    throw new InvalidInputError(name, "a boolean", describeValue(value));
  }
}
