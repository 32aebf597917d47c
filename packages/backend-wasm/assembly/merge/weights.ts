import * as D from "../../src/shared/merge";
import { size, word } from "../descriptor";
import { LN_2 } from "../math/constants";
import { exp } from "../math/exp";
import { log2 } from "../math/exp2";
import { loadFloat16Scalar } from "../math/float16";
import { logSumExpAt, partRecords, recordBytes } from "./rows";

/**
 * Lists the parts that contribute to the row at hand with their weights exp(lse_p − lse), in float64, and stores
 * the row's log-sum-exp. Parts whose log-sum-exp is −∞ are not listed, so that their outputs are not read.
 *
 * @param entries where the list goes: see `workPointer` in src/shared/merge.ts
 * @param logSumExp where the row's log-sum-exp goes, float32
 * @returns end of the list
 */
export function weighParts(d: usize, entries: usize, logSumExp: usize): usize {
  const half = word(d, D.logSumExpIsFloat16) != 0;
  const bytes = recordBytes(d);
  const first = partRecords(d);
  const last = first + size(d, D.parts) * bytes;
  let end = entries;
  let largest: f64 = -Infinity;
  for (let record = first; record < last; record += bytes) {
    const at = logSumExpAt(record);
    const lse = <f64>(half ? loadFloat16Scalar(at) : load<f32>(at));
    if (lse == -Infinity) continue;
    store<usize>(end, load<usize>(record));
    store<f64>(end, lse, 8);
    end += D.entryBytes;
    // NaN if either is NaN.
    largest = max(largest, lse);
  }
  if (end == entries) {
    store<f32>(logSumExp, -Infinity);
    return end;
  }
  let sum: f64 = 0;
  for (let entry = entries; entry < end; entry += D.entryBytes) {
    const weight = exp(load<f64>(entry, 8) - largest);
    store<f64>(entry, weight, 8);
    sum += weight;
  }
  for (let entry = entries; entry < end; entry += D.entryBytes) {
    store<f64>(entry, load<f64>(entry, 8) / sum, 8);
  }
  // A log-sum-exp of NaN or +∞ makes the sum NaN, which log2 does not hand on.
  store<f32>(logSumExp, <f32>(sum == sum ? largest + log2(sum) * LN_2 : sum));
  return end;
}
