import { bindProgram } from "../../../program/bound.js";
import type { ScoreProgram } from "../../../program/program-class.js";
import { doubles } from "../../../program/tile/doubles.js";
import { panelLength, TileProgram } from "../../../program/tile/tile-program.js";
import type { HostTensor } from "../../../tensor/tensor.js";
import { fromFloat64, toFloat64 } from "../../../tensor/values.js";

/**
 * Sums of values by weights that a program has changed, on the host in float64. A weight of 0 leaves its value out,
 * whatever it is.
 *
 * @param given weights `[batch, queryHeads, queryLength, keyLength]`
 * @param value `[batch, kvHeads, keyLength, size]`
 * @returns `[batch, queryHeads, queryLength, size]`, of the weights' dtype
 */
export function weightedValues(
  given: HostTensor,
  value: HostTensor,
  program: ScoreProgram,
): HostTensor {
  const [batch, heads, queries, keys] = given.shape as [number, number, number, number];
  const [, kvHeads, , size] = value.shape as [number, number, number, number];
  const weights = toFloat64(given);
  const values = toFloat64(value);
  const output = new Float64Array(batch * heads * queries * size);
  const tile = new TileProgram(bindProgram(program), { keys });
  const changed = doubles(panelLength(keys, 1));
  for (let b = 0; b < batch; b++) {
    tile.setBatch(b);
    tile.setKeys(0, keys);
    for (let h = 0; h < heads; h++) {
      const first = (b * kvHeads + Math.floor((h * kvHeads) / heads)) * keys;
      for (let i = 0; i < queries; i++) {
        const row = (b * heads + h) * queries + i;
        for (let j = 0; j < keys; j++) changed[j] = weights[row * keys + j] as number;
        tile.setRows(1, { head: [h], position: [i], index: [i] });
        tile.changeScores(0, changed, 0);
        const sums = output.subarray(row * size, (row + 1) * size);
        for (let j = 0; j < keys; j++) {
          const weight = changed[j] as number;
          if (weight !== 0) addScaled(sums, values, (first + j) * size, weight);
        }
      }
    }
  }
  return fromFloat64(output, [batch, heads, queries, size], given.dtype);
}

function addScaled(sums: Float64Array, values: Float64Array, start: number, weight: number): void {
  for (let c = 0; c < sums.length; c++) {
    sums[c] = (sums[c] as number) + weight * (values[start + c] as number);
  }
}
