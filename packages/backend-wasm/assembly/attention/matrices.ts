import * as D from "../../src/shared/attention";
import { number, size, word } from "../descriptor";
import { storeFloat16Scalar } from "../math/float16";
import { panelScores } from "./kernels/panel-scores";
import { finalWeights } from "./kernels/softmax";
import { addToScores, finishLogits } from "./logits";
import { hasPrograms, maskRows, startTile, visit, visitFrom, visitTo } from "../program/stages";
import { PANEL, queryLanes, STEP } from "./panel";
import { ANY_FROM, ANY_TO, existingKeys, FACTOR, INDEX, MAX, panelState, stateOf } from "./row-state";
import { mustCopy, tileAddress, tileStride } from "./tile-source";

// Weights and scores as outputs. Their panels are computed once more, when the rest of a block is done.

/** Computes and stores scores, also those of keys that the softmax never saw. */
export function storeScores(d: usize, work: usize, rows: i32, padded: i32): void {
  const length = word(d, D.keyLength);
  const existing = existingKeys(d);
  const kind = word(d, D.scoresKind);
  const scores = work + size(d, D.workScores);
  const tile = word(d, D.tileKeys);
  clearRows(d, work, D.scoresPointer, rows, existing, length);
  for (let from = 0; from < existing; from += tile) {
    const keys = min(tile, existing - from);
    startTile(from, from + keys);
    for (let r = 0; r < padded; r += PANEL) {
      scorePanel(d, work, r, from, keys);
      for (let half = 0; half < PANEL; half += 4) {
        addToScores(d, work, r + half, scores + 4 * <usize>half, STEP, from, keys, kind);
      }
      storeColumns(d, work, D.scoresPointer, r, min(PANEL, rows - r), from, keys);
    }
  }
}

/** Computes and stores weights, once the denominators are known. */
export function storeWeights(
  d: usize,
  work: usize,
  rows: i32,
  padded: i32,
  first: i32,
  last: i32,
): void {
  const scores = work + size(d, D.workScores);
  const tile = word(d, D.tileKeys);
  const factor = number(d, D.logitFactor);
  clearRows(d, work, D.weightsPointer, rows, 0, word(d, D.keyLength));
  for (let from = first; from < last; from += tile) {
    const to = min(from + tile, last);
    startTile(from, to);
    for (let r = 0; r < padded; r += PANEL) {
      let lo = max(from, load<i32>(panelState(d, work, r), ANY_FROM));
      let hi = min(to, load<i32>(panelState(d, work, r), ANY_TO));
      if (lo >= hi) continue;
      if (hasPrograms) {
        if (!visit(r, lo, hi) || !maskRows(r, r + PANEL - 1, STEP)) continue;
        lo = visitFrom;
        hi = visitTo;
      }
      scorePanel(d, work, r, lo, hi - lo);
      finishLogits(d, work, r, r + PANEL - 1, scores, STEP, lo, hi);
      const state = stateOf(d, work, r);
      finalWeights(scores, STEP, hi - lo, factor, state + MAX, state + FACTOR);
      const max4 = state + 16 + MAX;
      finalWeights(scores + 16, STEP, hi - lo, factor, max4, state + 16 + FACTOR);
      storeColumns(d, work, D.weightsPointer, r, min(PANEL, rows - r), lo, hi - lo);
    }
  }
}

/** Scores of one panel, as `attendTile` computes them. */
function scorePanel(d: usize, work: usize, r: i32, from: i32, keys: i32): void {
  const headDim = word(d, D.headDim);
  const copies = mustCopy(d, from, from + keys);
  const copy = work + size(d, D.workKey);
  const key = tileAddress(d, D.keyPointer, from, keys, headDim, copies, copy);
  const stride = tileStride(d, D.keyPointer, headDim, copies);
  panelScores(
    queryLanes(d, work, r),
    headDim,
    key,
    stride,
    keys,
    work + size(d, D.workScores),
    false,
  );
}

/** Address of element j of row r of weights or scores. */
function matrixElement(d: usize, work: usize, pointer: usize, r: i32, j: i32): usize {
  const index = load<usize>(stateOf(d, work, r), INDEX);
  const at = index * size(d, D.keyLength) + <usize>j;
  return size(d, pointer) + at * (word(d, D.isFloat16) ? 2 : 4);
}

/** Zeros elements `from ≤ j < to` of each row of weights or scores. */
function clearRows(d: usize, work: usize, pointer: usize, rows: i32, from: i32, to: i32): void {
  const bytes = <usize>(to - from) * (word(d, D.isFloat16) ? 2 : 4);
  for (let r = 0; r < rows; r++) memory.fill(matrixElement(d, work, pointer, r, from), 0, bytes);
}

/** Stores a panel's scores into rows of weights or scores. */
function storeColumns(
  d: usize,
  work: usize,
  pointer: usize,
  r: i32,
  rows: i32,
  from: i32,
  keys: i32,
): void {
  const half = word(d, D.isFloat16) != 0;
  for (let lane = 0; lane < rows; lane++) {
    let to = matrixElement(d, work, pointer, r + lane, from);
    let p = work + size(d, D.workScores) + 4 * <usize>lane;
    const end = p + STEP * <usize>keys;
    while (p < end) {
      const x = load<f32>(p);
      if (half) storeFloat16Scalar(to, x);
      else store<f32>(to, x);
      to += half ? 2 : 4;
      p += STEP;
    }
  }
}
