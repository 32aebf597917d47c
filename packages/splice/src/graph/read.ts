import { fromBinary } from "@bufbuild/protobuf";
import { type ModelProto, ModelProtoSchema } from "@heed/backend-onnx/proto";
import { InvalidInputError } from "@heed/core";
import { SpliceError } from "../errors.js";

/**
 * Versions of ONNX's operators whose meaning the recognition knows. What it reads means the same in 9 and 10, in
 * which converters of other frameworks write, as in 11.
 */
export const opsets = { oldest: 9, newest: 25 } as const;

/**
 * A model from an ONNX file. Weights stay views of the file's bytes, unknown fields are kept.
 *
 * @throws SpliceError for a file that is truncated, none of ONNX, of another opset or with functions of its own
 */
export function readModel(bytes: unknown): ModelProto {
  const file = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  if (!(file instanceof Uint8Array)) {
    throw new InvalidInputError("bytes", "a Uint8Array or an ArrayBuffer", typeof bytes);
  }
  const model = decode(file);
  const { graph } = model;
  if (!graph || graph.node.length === 0 || model.opsetImport.length === 0) {
    // A model starts with its format's version, a field number 1 of type varint.
    const begun = file[0] === 0x08 && model.irVersion > 0n && model.irVersion < 100n;
    throw new SpliceError(
      begun ? "truncated" : "not-onnx",
      begun
        ? `the file ends after ${file.length} bytes, before the model's ${graph ? "opset" : "graph"}`
        : "the file is no ONNX model: it has no graph",
    );
  }
  if (model.functions.length > 0) {
    const names = model.functions.map(({ domain, name }) => `${domain}.${name}`);
    throw new SpliceError(
      "functions",
      `the model defines operators of its own (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}), which would have to be inlined first (onnx.inliner.inline_local_functions)`,
    );
  }
  const opset = opsetOf(model);
  if (opset < opsets.oldest || opset > opsets.newest) {
    throw new SpliceError(
      "opset",
      `the model is written for opset ${opset}; opsets ${opsets.oldest} to ${opsets.newest} are supported (onnx.version_converter changes it)`,
    );
  }
  return model;
}

/** Version of ONNX's own operators. */
export function opsetOf(model: ModelProto): number {
  const own = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  return own ? Number(own.version) : 0;
}

function decode(file: Uint8Array): ModelProto {
  if (file.length === 0) throw new SpliceError("truncated", "the file is empty");
  try {
    return fromBinary(ModelProtoSchema, file);
  } catch (cause) {
    // protobuf-es: RangeError "premature EOF" where a field reaches past the end.
    const ended = cause instanceof RangeError && file[0] === 0x08;
    throw new SpliceError(
      ended ? "truncated" : "not-onnx",
      ended
        ? `the file ends after ${file.length} bytes, in the middle of a field`
        : "the file is no ONNX model: its bytes are no protobuf message of that kind",
      { cause },
    );
  }
}
