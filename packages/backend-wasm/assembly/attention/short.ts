import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { finishRows, normalizeRows } from "./denominators";
import { allFinite } from "./kernels/guarded";
import { panelScores } from "./kernels/panel-scores";
import { tileValues } from "./kernels/panel-values";
import { greatestOfPanel, panelWeights } from "./kernels/softmax";
import { canSpread, spread, spreadScores, spreadValues } from "./kernels/spread";
import { touchRows } from "./kernels/touch";
import { addBias, greatestBiased } from "./logits";
import { attendLoneRow } from "./lone-row";
import { packRows } from "./pack-rows";
import { outputLanes, PANEL, queryLanes, STEP } from "./panel";
import { BIAS, existingKeys, FACTOR, HEAD, INDEX, MAX, rowState, stepped, SUM } from "./row-state";
import { SPREAD_PANELS, TOUCHED_PANELS } from "./tiled";
import { addressInPlace, paddedBytes, strideInPlace } from "./tile-source";
import { transposeRows } from "./transpose-rows";
import { firstRow, keyHead, rowCount, sequence } from "./unit";

/**
 * A block of query rows that all see the same keys, in a single tile of float32. One panel after another is packed,
 * computed and stored, so that all of it stays in the first-level cache and no state of rows outlives a panel. Forms the
 * same sums in the same order as `attendTiled`.
 *
 * @returns whether it is done. If not, `attendTiled` has to compute the block: there are no keys, hidden values
 *   are not finite, or sums of large values overflow
 */
export function attendShort(d: usize, work: usize): bool {
  const keys = existingKeys(d);
  if (keys == 0) return false;
  let rows = rowCount;
  const headDim = word(d, D.headDim);
  const valueDim = word(d, D.valueDim);
  const bytes = paddedBytes(headDim);
  const key = addressInPlace(d, D.keyPointer, 0);
  const keyStride = strideInPlace(d, D.keyPointer);
  const value = addressInPlace(d, D.valuePointer, 0);
  const valueStride = strideInPlace(d, D.valuePointer);
  const scores = work + size(d, D.workScores);
  const end = scores + STEP * <usize>keys;
  if (rows <= TOUCHED_PANELS * PANEL) {
    touchRows(key, keyStride, keys, 4 * <usize>headDim);
    touchRows(value, valueStride, keys, 4 * <usize>valueDim);
  }
  const variant = word(d, D.tileVariant);
  const spreadKey = work + size(d, D.workSpreadKey);
  const spreadValue = work + size(d, D.workSpreadValue);
  const spreads =
    canSpread(variant, keys, valueDim) &&
    rows > (SPREAD_PANELS - 1) * PANEL;
  if (spreads) {
    spread(key, keys, keyStride, headDim, 4, spreadKey);
    spread(value, valueDim, 4, keys, valueStride, spreadValue);
  }

  const queryFactor = f32x4.splat(number(d, D.queryFactor));
  const logitFactor = f32x4.splat(number(d, D.logitFactor));
  const hasBias = word(d, D.biasPointer) != 0;
  const finishes = word(d, D.logSumExpPointer) != 0 || word(d, D.sinksPointer) != 0;
  const queryStep = 4 * size(d, D.queryRowStride);
  const outputStep = 4 * <usize>valueDim;
  const index = (sequence * word(d, D.queryHeads) + keyHead) * word(d, D.queryLength) + firstRow;
  const firstQuery =
    size(d, D.queryPointer) +
    4 *
      (<usize>sequence * size(d, D.queryBatchStride) +
        <usize>keyHead * size(d, D.queryHeadStride) +
        <usize>firstRow * size(d, D.queryRowStride));
  const firstOutput = size(d, D.outputPointer) + <usize>index * outputStep;
  if (word(d, D.loneRow) && (rows & (PANEL - 1)) == 1) {
    const r = rows - 1;
    const bias = hasBias ? biasRow(d, r) : 0;
    const row = firstQuery + queryStep * <usize>r;
    if (
      (!hasBias || word(d, D.biasKeyStride) == 1) &&
      attendLoneRow(d, work, index + r, row, key, keyStride, keys, value, valueStride, bias)
    ) {
      rows = r;
    }
  }
  const query = queryLanes(d, work, 0);
  const output = outputLanes(d, work, 0);
  const rest = work + size(d, D.workRow);
  /** State of a panel's rows: that of the first panel. */
  const state = rowState(d, work, 0);
  /** Whether the values are all finite: −1 as long as nobody needs to know. */
  let finite = -1;

  for (let r = 0; r < rows; r += PANEL) {
    /** Whether four lanes do. */
    const four = rows - r <= 4;
    const lanes = four ? 4 : PANEL;
    for (let half = 0; half < lanes; half += 4) {
      // Rows that fill up the last panel repeat the last real one.
      const last = rows - 1;
      const q0 = firstQuery + queryStep * <usize>min(r + half, last);
      const q1 = firstQuery + queryStep * <usize>min(r + half + 1, last);
      const q2 = firstQuery + queryStep * <usize>min(r + half + 2, last);
      const q3 = firstQuery + queryStep * <usize>min(r + half + 3, last);
      packRows(q0, q1, q2, q3, bytes, queryFactor, query + 4 * <usize>half);
    }
    if (spreads && !four) spreadScores(variant, query, headDim, spreadKey, keys, 0, keys, scores);
    else panelScores(query, headDim, key, keyStride, keys, scores, four);

    let hides = false;
    if (hasBias) {
      setBiases(d, work, r, rows, lanes);
      for (let half = 0; half < lanes; half += 4) {
        const column = scores + 4 * <usize>half;
        if (addBias(d, work, half, column, STEP, 0, keys, number(d, D.scoreFactor))) hides = true;
        v128.store(state + 4 * <usize>half, greatestBiased, MAX);
      }
    } else {
      greatestOfPanel(scores, end, state + MAX);
    }
    panelWeights(scores, end, logitFactor, state + MAX, state + SUM, four);

    if (hides) {
      if (finite < 0) finite = allFinite(value, valueStride, keys, valueDim) ? 1 : 0;
      if (!finite) return false;
    }
    if (spreads && !four) {
      spreadValues(variant, scores, keys, spreadValue, keys, 0, valueDim, output);
    } else {
      tileValues(scores, keys, value, valueStride, valueDim, output, four);
    }

    for (let half = 0; half < lanes; half += 4) {
      const first = r + half;
      const rowsOfHalf = state + 4 * <usize>half;
      if (finishes) {
        v128.store(rowsOfHalf, i32x4.add(i32x4.splat(index + first), i32x4(0, 1, 2, 3)), INDEX);
        v128.store(rowsOfHalf, i32x4.splat(keyHead), HEAD);
        finishRows(d, work, half, min(4, rows - first));
      } else {
        normalizeRows(rowsOfHalf);
      }
      const last = rows - 1;
      const bad = transposeRows(
        output + 4 * <usize>half,
        valueDim,
        v128.load(rowsOfHalf, FACTOR),
        firstOutput + outputStep * <usize>first,
        firstOutput + outputStep * <usize>min(first + 1, last),
        firstOutput + outputStep * <usize>min(first + 2, last),
        firstOutput + outputStep * <usize>min(first + 3, last),
        rest,
      );
      if (v128.any_true(bad)) return false;
    }
  }
  return true;
}

/** Address of a row's bias of key 0. */
function biasRow(d: usize, r: i32): usize {
  const at =
    <usize>sequence * size(d, D.biasBatchStride) +
    <usize>keyHead * size(d, D.biasHeadStride) +
    <usize>(firstRow + r) * size(d, D.biasRowStride);
  return size(d, D.biasPointer) + (at << (word(d, D.biasIsFloat16) ? 1 : 2));
}

/** Sets the addresses of the biases of a panel's rows in the state of the first panel. */
function setBiases(d: usize, work: usize, r: i32, rows: i32, lanes: i32): void {
  const start = biasRow(d, 0);
  const step = size(d, D.biasRowStride) << (word(d, D.biasIsFloat16) ? 1 : 2);
  const last = i32x4.splat(rows - 1);
  for (let half = 0; half < lanes; half += 4) {
    const row = i32x4.min_s(i32x4.add(i32x4.splat(r + half), i32x4(0, 1, 2, 3)), last);
    v128.store(rowState(d, work, half), stepped(start, step, row), BIAS);
  }
}
