import { InvalidInputError } from "../../../errors.js";
import { isDeviceTensor, readHostTensor, readTensor } from "../../../tensor/host-tensor.js";
import { rowMajorStrides } from "../../../tensor/layout.js";
import { type HostTensor, type Tensor, tensor } from "../../../tensor/tensor.js";
import { fromFloat64, toFloat64 } from "../../../tensor/values.js";
import { splitHeads } from "../../../tensor/views.js";
import { checkFloat } from "../../validation/sizes.js";
import type { CallMemory } from "../call-memory.js";
import type { OnnxMultiHeadAttentionInputs } from "./inputs.js";

/** Queries, keys and values of a call, `[batch, heads, length, size]`, with the operator's bias added. */
export interface Heads {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** @throws InvalidInputError naming the operator's own input */
export function readHeads(
  inputs: OnnxMultiHeadAttentionInputs<Tensor>,
  heads: number,
  memory: CallMemory,
): Heads {
  const query = readTensor("query", inputs.query);
  checkFloat("query", query);
  if (inputs.key === undefined) {
    if (inputs.value !== undefined) {
      throw new InvalidInputError("value", "nothing without key: the query is packed", "a tensor");
    }
    checkPacked("query", query, query, heads, 3);
    const parts = [0, 1, 2].map((part) => unpack(query, part, memory));
    return addBias(inputs.bias, parts as unknown as Three);
  }
  if (query.shape.length !== 3) throw wrongShape("query", "3 axes, since key is given", query);
  const q = split("query", query, heads, memory);
  const key = readTensor("key", inputs.key);
  checkSame("key", key, query);
  if (key.shape.length === 5) {
    if (inputs.value !== undefined) {
      throw new InvalidInputError("value", "nothing, since key is packed", "a tensor");
    }
    if (inputs.bias !== undefined) {
      throw new InvalidInputError("bias", "nothing, since key is packed", "a tensor");
    }
    checkPacked("key", key, query, heads, 2);
    const [k, v] = [unpack(key, 0, memory), unpack(key, 1, memory)];
    checkHeadSize("key", k, q);
    return { query: q, key: k, value: v };
  }
  if (inputs.value === undefined) {
    throw new InvalidInputError("value", "a tensor, since key is not packed", "undefined");
  }
  const value = readTensor("value", inputs.value);
  checkSame("value", value, query);
  if (value.shape.length !== key.shape.length) {
    throw wrongShape("value", `${key.shape.length} axes, as key`, value);
  }
  const given =
    key.shape.length === 4
      ? { query: q, key, value }
      : {
          query: q,
          key: split("key", key, heads, memory),
          value: split("value", value, heads, memory),
        };
  checkHeadSize("key", given.key, q);
  const [batch, keyHeads, length] = given.key.shape;
  const [valueBatch, valueHeads, valueLength] = given.value.shape;
  if (keyHeads !== heads) throw wrongShape("key", `${heads} heads on axis 1`, key);
  if (valueBatch !== batch || valueHeads !== heads || valueLength !== length) {
    throw wrongShape("value", `batch ${batch}, ${heads} heads and ${length} rows, as key`, value);
  }
  if (key.shape.length === 3) return addBias(inputs.bias, [given.query, given.key, given.value]);
  for (const name of ["bias", "past_key", "past_value"] as const) {
    if (inputs[name] === undefined) continue;
    throw new InvalidInputError(name, "nothing, since key has 4 axes", "a tensor");
  }
  return given;
}

type Three = readonly [Tensor, Tensor, Tensor];

/** `[batch, length, heads, parts, size]`: one of the parts as `[batch, heads, length, size]`. A view. */
function unpack(packed: Tensor, part: number, memory: CallMemory): Tensor {
  const { shape: sizes, strides: given = rowMajorStrides(sizes), offset: first = 0 } = packed;
  const [batch, length, heads, , size] = sizes as [number, number, number, number, number];
  const [b, l, h, p, s] = given as [number, number, number, number, number];
  const shape = [batch, heads, length, size];
  const strides = [b, h, l, s];
  const offset = first + (sizes.includes(0) ? 0 : part * p);
  if (!isDeviceTensor(packed)) {
    const { data, dtype } = packed as HostTensor;
    return tensor(data, shape, { dtype, strides, offset });
  }
  const view = packed.view?.({ shape, strides, offset });
  if (view) return memory.keep(view);
  const expected = "a tensor of a backend whose tensors have views";
  throw new InvalidInputError("query", expected, `a tensor of backend ${packed.backend}`);
}

function checkPacked(name: string, t: Tensor, query: Tensor, heads: number, parts: number): void {
  const fits =
    t.shape.length === 5 &&
    t.shape[0] === query.shape[0] &&
    t.shape[2] === heads &&
    t.shape[3] === parts;
  if (fits) return;
  throw wrongShape(name, `shape [${query.shape[0]}, length, ${heads}, ${parts}, head_size]`, t);
}

function split(name: string, t: Tensor, heads: number, memory: CallMemory): Tensor {
  if (t.shape.length !== 3) throw wrongShape(name, "3, 4 or 5 axes, as the operator has them", t);
  if ((t.shape[2] as number) % heads !== 0) {
    throw wrongShape(name, `a last axis that num_heads ${heads} divides`, t);
  }
  return memory.keep(splitHeads(t, heads) as Tensor);
}

function checkSame(name: string, t: Tensor, query: Tensor): void {
  if (t.dtype !== query.dtype) {
    throw new InvalidInputError(name, `the query's dtype ${query.dtype}`, t.dtype);
  }
}

function checkHeadSize(name: string, key: Tensor, query: Tensor): void {
  if (key.shape[0] === query.shape[0] && key.shape[3] === query.shape[3]) return;
  throw wrongShape(
    name,
    `batch ${query.shape[0]} and head size ${query.shape[3]}, as the query`,
    key,
  );
}

function wrongShape(name: string, expected: string, { shape }: Tensor): InvalidInputError {
  return new InvalidInputError(name, expected, `shape [${shape.join(", ")}]`);
}

/** Each part with its slice of the operator's bias, one element for each of its columns. */
function addBias(given: HostTensor | undefined, [query, key, value]: Three): Heads {
  if (given === undefined) return { query, key, value };
  if ([query, key, value].some(isDeviceTensor)) {
    const expected = "nothing beside tensors on a device: no operation adds it there";
    throw new InvalidInputError("bias", expected, "a tensor");
  }
  const bias = readHostTensor("bias", given);
  checkSame("bias", bias, query);
  const widths = [query, key, value].map(
    ({ shape }) => (shape[1] as number) * (shape[3] as number),
  );
  const all = widths.reduce((sum, width) => sum + width, 0);
  if (bias.shape.length !== 1 || bias.shape[0] !== all) {
    throw wrongShape("bias", `shape [${widths.join(" + ")}] = [${all}]`, bias);
  }
  const elements = toFloat64(bias);
  let first = 0;
  const [q, k, v] = [query, key, value].map((t, part) => {
    const added = plus(t as HostTensor, elements.subarray(first, first + (widths[part] as number)));
    first += widths[part] as number;
    return added;
  }) as unknown as Three;
  return { query: q, key: k, value: v };
}

/** @param columns one value for each head and element */
function plus(t: HostTensor, columns: Float64Array): HostTensor {
  const values = toFloat64(t);
  const [, heads, length, size] = t.shape as [number, number, number, number];
  for (let at = 0; at < values.length; at++) {
    const head = Math.floor(at / (length * size)) % heads;
    values[at] = (values[at] as number) + (columns[head * size + (at % size)] as number);
  }
  return fromFloat64(values, t.shape, t.dtype);
}
