import {
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType as Type,
} from "@heed/backend-onnx/proto";
import { elementCount, float16BitsToNumber } from "@heed/core";

/** A small tensor whose elements are known. */
export interface Constant {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
  readonly bool: boolean;
  readonly float: boolean;
}

/** Elements of the largest tensor that is read for the recognition: a triangle of 2048 rows. */
export const largestConstant: number = 2 ** 22;

const floats: ReadonlySet<number> = new Set([Type.FLOAT, Type.DOUBLE, Type.FLOAT16, Type.BFLOAT16]);

export function isFloatType(type: number): boolean {
  return floats.has(type);
}

/** The elements of a tensor of the file; undefined for large ones, strings, and those in other files. */
export function readConstant(proto: TensorProto): Constant | undefined {
  const dims = proto.dims.map(Number);
  const count = elementCount(dims);
  if (count > largestConstant || proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    return undefined;
  }
  const data = proto.rawData.length > 0 ? rawElements(proto, count) : listedElements(proto);
  if (!data || data.length !== count) return undefined;
  return { dims, data, bool: proto.dataType === Type.BOOL, float: isFloatType(proto.dataType) };
}

function rawElements(
  { rawData, dataType }: TensorProto,
  count: number,
): ArrayLike<number> | undefined {
  const { buffer, byteOffset, byteLength } = rawData;
  const view = new DataView(buffer, byteOffset, byteLength);
  const read = (bytes: number, one: (at: number) => number): ArrayLike<number> | undefined =>
    bytes * count === byteLength
      ? Float64Array.from({ length: count }, (_, i) => one(i * bytes))
      : undefined;
  switch (dataType) {
    case Type.FLOAT:
      return read(4, (at) => view.getFloat32(at, true));
    case Type.DOUBLE:
      return read(8, (at) => view.getFloat64(at, true));
    case Type.FLOAT16:
      return read(2, (at) => float16BitsToNumber(view.getUint16(at, true)));
    case Type.INT64:
      return read(8, (at) => Number(view.getBigInt64(at, true)));
    case Type.INT32:
      return read(4, (at) => view.getInt32(at, true));
    case Type.BOOL:
    case Type.UINT8:
      return read(1, (at) => view.getUint8(at));
    case Type.INT8:
      return read(1, (at) => view.getInt8(at));
    default:
      return undefined;
  }
}

function listedElements(proto: TensorProto): ArrayLike<number> | undefined {
  switch (proto.dataType) {
    case Type.FLOAT:
      return proto.floatData;
    case Type.DOUBLE:
      return proto.doubleData;
    case Type.FLOAT16:
      return proto.int32Data.map(float16BitsToNumber);
    case Type.INT64:
      return proto.int64Data.map(Number);
    case Type.INT32:
    case Type.BOOL:
    case Type.UINT8:
    case Type.INT8:
      return proto.int32Data;
    default:
      return undefined;
  }
}
