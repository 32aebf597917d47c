import type { AttentionProblem } from "@heed/core";
import { encodeModel, type ModelGraph } from "../model/model.js";
import { computedPositions, positionSpecOf } from "./computed-positions.js";
import { plainGraph } from "./plain.js";
import { graphSpec } from "./spec.js";

/** As ONNX defines its operators: IEEE 754 throughout. */
const onnxItself = { infinities: true, and: true, float16: true } as const;

/**
 * The ONNX model of a problem: plain operators of opset 18, any lengths and batch size. Its inputs are
 * those of the call that the problem has: `query`, `key`, `value`, `mask`, `bias`, `queryOffset` (int64:
 * a scalar, or `[batch]` where the problem's is one a batch), `kvLengths` (int64, `[batch]`),
 * `alibiSlopes` and `sinks` (`[1, queryHeads, 1, 1]`, float32, or float64 for float64). Its outputs are
 * `output`, `weights`, `scores` and `logSumExp` (with a last axis of 1), as asked for.
 */
export function toOnnx(problem: AttentionProblem): Uint8Array {
  return encodeModel(problemGraph(problem));
}

/** What {@link toOnnx} encodes. */
export function problemGraph(problem: AttentionProblem): ModelGraph {
  const spec = graphSpec(problem, onnxItself, positionSpecOf(problem));
  return plainGraph(spec, onnxItself, computedPositions(problem));
}
