import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
} from "@heed/backend-onnx/proto";

/** A model with its larger weights in files beside it, by their paths. */
export interface ModelOutside {
  readonly bytes: Uint8Array;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** @param paths of the files, which get the weights in turn */
export function withWeightsOutside(bytes: Uint8Array, paths: readonly string[]): ModelOutside {
  const model = fromBinary(ModelProtoSchema, bytes);
  const files = new Map<string, Uint8Array>();
  let moved = 0;
  for (const weight of (model.graph as GraphProto).initializer) {
    if (weight.rawData.length < 200) continue;
    const path = paths[moved++ % paths.length] as string;
    const before = files.get(path) ?? new Uint8Array();
    files.set(path, Uint8Array.of(...before, ...weight.rawData));
    const entry = (key: string, value: string | number) =>
      create(StringStringEntryProtoSchema, { key, value: `${value}` });
    weight.externalData = [
      entry("location", path),
      entry("offset", before.length),
      entry("length", weight.rawData.length),
    ];
    weight.dataLocation = TensorProto_DataLocation.EXTERNAL;
    weight.rawData = new Uint8Array();
  }
  return { bytes: toBinary(ModelProtoSchema, model), files };
}
