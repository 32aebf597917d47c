import { InvalidInputError } from "../../errors.js";
import type { FloatDType } from "../../tensor/dtype.js";
import { readTensor } from "../../tensor/host-tensor.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { KvDType } from "../problem.js";

/** The dtypes that keys and values may have under a query of each dtype. */
const storedUnder: Readonly<Record<FloatDType, readonly KvDType[]>> = {
  float64: ["float64"],
  float32: ["float32", "float16", "int8"],
  float16: ["float16", "int8"],
};

/** @throws InvalidInputError unless keys and values may be stored so under a query of the dtype */
export function checkStorage(key: Tensor, value: Tensor, dtype: FloatDType): KvDType {
  const allowed = storedUnder[dtype];
  const stored = key.dtype as KvDType;
  if (!allowed.includes(stored)) {
    const [same, ...others] = allowed;
    const more = others.length > 0 ? `, or ${others.join(", or ")}` : "";
    throw new InvalidInputError("key", `the query's dtype ${same}${more}`, key.dtype);
  }
  if (value.dtype !== stored) {
    throw new InvalidInputError("value", `the key's dtype ${stored}`, value.dtype);
  }
  return stored;
}

/**
 * @param given `keyScales` or `valueScales`
 * @throws InvalidInputError, DisposedError
 */
export function checkScales(
  argument: "keyScales" | "valueScales",
  given: Tensor | undefined,
  stored: KvDType,
  { shape }: Tensor,
): void {
  if (stored !== "int8") {
    if (given === undefined) return;
    throw new InvalidInputError(argument, `nothing beside keys and values of ${stored}`, "a value");
  }
  const scales = readTensor(argument, given);
  if (scales.dtype !== "float32") {
    throw new InvalidInputError(argument, "dtype float32", scales.dtype);
  }
  const { shape: its } = scales;
  let fits = its.length === 3;
  for (let axis = 0; fits && axis < 3; axis++) fits = its[axis] === shape[axis];
  if (fits) return;
  const what = argument === "keyScales" ? "key" : "value";
  throw new InvalidInputError(
    argument,
    `one scale for each row of the ${what}, [${shape.slice(0, 3).join(", ")}]`,
    `[${its.join(", ")}]`,
  );
}
