import {
  describeValue,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  isDeviceTensor,
  reshape,
  slice,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { flag, reading } from "@heed/core/options";
import { checkCount, checkShape, readMembers } from "./check.js";
import type { LayerInputs, LayerReturns } from "./inputs.js";
import type { Linear, MultiHeadAttentionOptions } from "./options.js";

/** Content of the `state_dict()` of a `torch.nn.MultiheadAttention`, by PyTorch's names. */
export interface TorchStateDict {
  /** `[3·E, E]`: query, key and value one below the other. */
  readonly in_proj_weight?: HostTensor | undefined;
  /** With `kdim` or `vdim`, in place of `in_proj_weight`: `[E, E]`. */
  readonly q_proj_weight?: HostTensor | undefined;
  /** `[E, kdim]`. */
  readonly k_proj_weight?: HostTensor | undefined;
  /** `[E, vdim]`. */
  readonly v_proj_weight?: HostTensor | undefined;
  /** `[3·E]`, unless `bias=False`. */
  readonly in_proj_bias?: HostTensor | undefined;
  /** `[E, E]`. */
  readonly "out_proj.weight": HostTensor;
  /** `[E]`, unless `bias=False`. */
  readonly "out_proj.bias"?: HostTensor | undefined;
  /** `[1, 1, E]`, with `add_bias_kv=True`. */
  readonly bias_k?: HostTensor | undefined;
  /** `[1, 1, E]`, with `add_bias_kv=True`. */
  readonly bias_v?: HostTensor | undefined;
}

/** Arguments of `torch.nn.MultiheadAttention` that its state does not tell. */
export interface TorchOptions {
  /** `num_heads`. */
  readonly heads: number;
  /** `add_zero_attn`. Default false. */
  readonly addZeroAttn?: boolean | undefined;
}

const stateNames = [
  "in_proj_weight",
  "q_proj_weight",
  "k_proj_weight",
  "v_proj_weight",
  "in_proj_bias",
  "out_proj.weight",
  "out_proj.bias",
  "bias_k",
  "bias_v",
] as const;

/**
 * Options of `multiHeadAttention` from what a `torch.nn.MultiheadAttention` saves. Weights are views of the
 * state's tensors. The layer takes `[B, L, E]`, as PyTorch does with `batch_first=True`; of `[L, B, E]`,
 * `transpose(query, [1, 0, 2])` is that.
 *
 * @throws InvalidInputError naming the entry of the state, or `heads`
 */
export function fromTorch(
  stateDict: TorchStateDict,
  options: TorchOptions,
): MultiHeadAttentionOptions {
  return reading("stateDict", () => readTorch(stateDict, options));
}

function readTorch(stateDict: TorchStateDict, options: TorchOptions): MultiHeadAttentionOptions {
  const state = readMembers<TorchStateDict>("stateDict", stateDict, stateNames);
  const given = readMembers<TorchOptions>("options", options, ["heads", "addZeroAttn"]);
  const heads = checkCount("heads", given.heads);
  const entry = (
    name: (typeof stateNames)[number],
    shape: readonly (number | null)[],
    names: string,
  ): HostTensor => {
    const t = checkShape(name, state[name], shape, names);
    if (isDeviceTensor(t)) {
      throw new InvalidInputError(name, "a host tensor", `one of backend ${t.backend}`);
    }
    return t;
  };
  const outWeight = entry("out_proj.weight", [null, null], "[E, E]");
  const size = outWeight.shape[0] as number;
  if (outWeight.shape[1] !== size) {
    const expected = "shape [E, E]";
    throw new InvalidInputError("out_proj.weight", expected, `[${outWeight.shape.join(", ")}]`);
  }
  if (size % heads !== 0) {
    throw new InvalidInputError("heads", `a divisor of E = ${size}`, `${heads}`);
  }
  const bias = state.in_proj_bias && entry("in_proj_bias", [3 * size], "[3·E]");
  const part = (index: number): Linear => {
    const rows = (t: HostTensor): HostTensor =>
      slice(t, 0, index * size, (index + 1) * size) as HostTensor;
    const weight =
      state.in_proj_weight === undefined
        ? entry(
            (["q_proj_weight", "k_proj_weight", "v_proj_weight"] as const)[
              index
            ] as "q_proj_weight",
            [size, null],
            "[E, in]",
          )
        : rows(entry("in_proj_weight", [3 * size, size], "[3·E, E]"));
    return { weight, ...(bias && { bias: rows(bias) }) };
  };
  if (state.in_proj_weight !== undefined && state.q_proj_weight !== undefined) {
    const expected = "in_proj_weight, or weights of query, key and value";
    throw new InvalidInputError("q_proj_weight", expected, "both");
  }
  const outBias = state["out_proj.bias"] && entry("out_proj.bias", [size], "[E]");
  if ((state.bias_k === undefined) !== (state.bias_v === undefined)) {
    const missing = state.bias_k === undefined ? "bias_k" : "bias_v";
    throw new InvalidInputError(missing, "bias_k and bias_v together", "only one of them");
  }
  const rows = (name: "bias_k" | "bias_v"): HostTensor[] => [
    ...(state[name] === undefined
      ? []
      : [reshape(entry(name, [1, 1, size], "[1, 1, E]"), [1, size]) as HostTensor]),
    ...(flag("addZeroAttn", given.addZeroAttn) ? [zeros(outWeight.dtype, [1, size])] : []),
  ];
  const [extraKeys, extraValues] = [rows("bias_k"), rows("bias_v")];
  return {
    queryHeads: heads,
    kvHeads: heads,
    headDim: size / heads,
    weights: {
      query: part(0),
      key: part(1),
      value: part(2),
      output: { weight: outWeight, ...(outBias && { bias: outBias }) },
    },
    ...(extraKeys.length > 0 && {
      extra: { key: stacked(extraKeys), value: stacked(extraValues) },
    }),
  };
}

function stacked(rows: readonly HostTensor[]): HostTensor {
  const [first] = rows as [HostTensor];
  const values = Float64Array.from(rows.flatMap((row) => [...toFloat64(row)]));
  return fromFloat64(values, [rows.length, first.shape[1] as number], first.dtype);
}

/** Arguments of a call of `torch.nn.MultiheadAttention`, by PyTorch's names, with `batch_first=True`. */
export interface TorchInputs {
  readonly query: HostTensor;
  readonly key?: HostTensor | undefined;
  readonly value?: HostTensor | undefined;
  /** `[B, S]`: bool with true for what is hidden, or floats that are added. */
  readonly key_padding_mask?: HostTensor | undefined;
  /** `[L, S]` or `[B·heads, L, S]`: bool with true for what is hidden, or floats that are added. */
  readonly attn_mask?: HostTensor | undefined;
  /** Default true. */
  readonly need_weights?: boolean | undefined;
  /** Default true. */
  readonly average_attn_weights?: boolean | undefined;
}

const torchInputNames = [
  "query",
  "key",
  "value",
  "key_padding_mask",
  "attn_mask",
  "need_weights",
  "average_attn_weights",
] as const;

/**
 * Inputs of a layer from the arguments of a call of `torch.nn.MultiheadAttention`: masks are turned round,
 * since PyTorch's say true for what is hidden. `is_causal` is no argument of its own: it only promises that
 * `attn_mask` is a causal mask.
 *
 * @throws InvalidInputError naming the argument
 */
export function fromTorchInputs(
  inputs: TorchInputs,
  options: TorchOptions,
): LayerInputs<HostTensor> {
  return reading("inputs", () => readTorchInputs(inputs, options));
}

function readTorchInputs(inputs: TorchInputs, options: TorchOptions): LayerInputs<HostTensor> {
  const given = readMembers<TorchInputs>("inputs", inputs, torchInputNames);
  const heads = checkCount(
    "heads",
    readMembers<TorchOptions>("options", options, ["heads", "addZeroAttn"]).heads,
  );
  const query = checkShape("query", given.query, [null, null, null], "[B, L, E]") as HostTensor;
  const key = (given.key ?? query) as HostTensor;
  checkShape("key", key, [null, null, null], "[B, S, kdim]");
  const [batch, length] = query.shape as [number, number];
  const keys = key.shape[1] as number;
  const padding =
    given.key_padding_mask &&
    hostTensor(
      "key_padding_mask",
      checkShape("key_padding_mask", given.key_padding_mask, [batch, keys], "[B, S]"),
    );
  const masked = given.attn_mask && attentionMask(given.attn_mask, batch, heads, length, keys);
  const addedPadding =
    padding && padding.dtype !== "bool" ? reshaped(padding, [batch, 1, 1, keys]) : undefined;
  const addedMask = masked && masked.dtype !== "bool" ? masked : undefined;
  const needs = flag("need_weights", given.need_weights ?? true);
  const average = flag("average_attn_weights", given.average_attn_weights ?? true);
  const returns: LayerReturns = { weights: needs && (average ? "average" : true) };
  const bias =
    addedPadding && addedMask
      ? sum(addedPadding, addedMask, [batch, addedMask.shape[1] as number, length, keys])
      : (addedPadding ?? addedMask);
  return {
    query,
    ...(given.key && { key }),
    ...(given.value && { value: given.value }),
    ...(padding?.dtype === "bool" && { keyPadding: turned(padding, [batch, keys]) }),
    ...(masked?.dtype === "bool" && { mask: turned(masked, masked.shape) }),
    ...(bias && { bias }),
    returns,
  };
}

function hostTensor(argument: string, t: unknown): HostTensor {
  if (!isDeviceTensor(t)) return t as HostTensor;
  throw new InvalidInputError(argument, "a host tensor", `one of backend ${t.backend}`);
}

/** `[1 or B, 1 or heads, L, S]`. */
function attentionMask(
  given: unknown,
  batch: number,
  heads: number,
  length: number,
  keys: number,
): HostTensor {
  const rank = reading("attn_mask", () => (given as HostTensor).shape?.length);
  if (rank !== 2 && rank !== 3) {
    const expected = `shape [${length}, ${keys}] or [${batch * heads}, ${length}, ${keys}]`;
    throw new InvalidInputError("attn_mask", expected, describeValue(given));
  }
  const shape = rank === 2 ? [length, keys] : [batch * heads, length, keys];
  const names = rank === 2 ? "[L, S]" : "[B·heads, L, S]";
  const mask = hostTensor("attn_mask", checkShape("attn_mask", given, shape, names));
  return reshaped(mask, rank === 2 ? [1, 1, length, keys] : [batch, heads, length, keys]);
}

function reshaped(t: HostTensor, shape: readonly number[]): HostTensor {
  return fromFloat64(toFloat64(t), shape, t.dtype);
}

/** A mask that says true for what may be attended to. */
function turned(hidden: HostTensor, shape: readonly number[]): HostTensor<"bool"> {
  const visible = Uint8Array.from(toFloat64(hidden), (value) => (value === 0 ? 1 : 0));
  return tensor(visible, shape, { dtype: "bool" });
}

/** @param padding `[B, 1, 1, S]` @param mask `[1 or B, 1 or heads, L, S]` */
function sum(
  padding: HostTensor,
  mask: HostTensor,
  shape: readonly [number, number, number, number],
): HostTensor {
  const [batch, heads, length, keys] = shape;
  const [a, b] = [toFloat64(padding), toFloat64(mask)];
  const block = heads * length * keys;
  const values = Float64Array.from({ length: batch * block }, (_, at) => {
    const entry = Math.floor(at / block);
    const own = (mask.shape[0] === 1 ? 0 : entry) * block + (at % block);
    return (a[entry * keys + (at % keys)] as number) + (b[own] as number);
  });
  return fromFloat64(values, shape, mask.dtype);
}
