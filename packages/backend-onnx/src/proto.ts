/**
 * ONNX's file format as messages of `@bufbuild/protobuf`, generated from onnx.proto. Unknown fields of a file are
 * kept, and written again.
 *
 * @module
 */
export * from "./generated/onnx_pb.js";
