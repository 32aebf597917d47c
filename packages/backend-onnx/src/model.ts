/**
 * ONNX models, written in JavaScript: a graph node by node, and its file.
 *
 * @module
 */
export { GraphBuilder, type Value } from "./model/builder.js";
export {
  type Dimension,
  encodeModel,
  type ModelAttribute,
  type ModelConstant,
  type ModelDType,
  type ModelGraph,
  type ModelNode,
  type ModelValue,
} from "./model/model.js";
