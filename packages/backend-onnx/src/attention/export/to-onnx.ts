import { type AttentionProblem, refuseFeatures, UnsupportedError } from "@heed/core";
import { encodeModel, type ModelGraph } from "../../model/model.js";
import { plainGraph } from "../graph/plain.js";
import { graphSpec } from "../graph/spec.js";
import { computedPositions, positionSpecOf } from "./computed-positions.js";
import { unexportedFeatures } from "./unexported.js";

/** As ONNX defines its operators: IEEE 754 throughout. */
const onnxItself = { infinities: true, and: true, float16: true } as const;

/**
 * The ONNX model of a problem: plain operators of opset 18, any lengths and batch size. Its inputs are
 * those of the call that the problem has: `query`, `key`, `value`, `mask`, `bias`, `queryOffset` (int64:
 * a scalar, or `[batch]` where the problem's is one a batch), `kvLengths` (int64, `[batch]`),
 * `alibiSlopes` and `sinks` (`[1, queryHeads, 1, 1]`, float32, or float64 for float64). Its outputs are
 * `output`, `weights`, `scores` and `logSumExp` (with a last axis of 1), as asked for. Keys and values that
 * a mask or a bias hides must be finite; those that positions hide from all rows may hold anything.
 *
 * @throws UnsupportedError for programs, block masks, storage of keys and values, pages, ragged batches and
 *   positions as data
 */
export function toOnnx(problem: AttentionProblem): Uint8Array {
  return encodeModel(problemGraph(problem));
}

/**
 * The graph that {@link toOnnx} encodes.
 *
 * @param anyData whether NaN and infinities that a mask or a bias hides must have no influence, at the price
 *   of two more products
 */
export function problemGraph(problem: AttentionProblem, anyData = false): ModelGraph {
  const reasons = refuseFeatures(problem, unexportedFeatures);
  if (reasons.length > 0) throw new UnsupportedError([{ backend: "onnx", reasons }]);
  const positions = positionSpecOf(problem);
  const spec = graphSpec(problem, onnxItself, {
    ...positions,
    guard: anyData ? "elements" : positions.guard,
  });
  return plainGraph(spec, onnxItself, computedPositions(problem));
}
