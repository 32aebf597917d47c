import type { RmsNormProblem } from "@heed/core";
import type { Capabilities } from "../capabilities.js";
import { storageOf } from "../convert/stored.js";
import { length } from "../execution/regions.js";
import type { Layouts, Schedule } from "../execution/steps.js";
import { type BoundTable, scheduleVectors } from "../execution/vectors.js";
import { type RmsNormParam, rmsNormKernel } from "./kernel.js";

/**
 * Everything that a run does on the device, in order. Pure.
 *
 * @returns null where the weight or a single vector is larger than a binding
 */
export function scheduleRmsNorm(
  { shape, size, dtype }: RmsNormProblem,
  layouts: Layouts,
  capabilities: Capabilities,
): Schedule | null {
  return scheduleVectors<RmsNormParam>(
    {
      kernel: rmsNormKernel(storageOf(dtype, capabilities)),
      // Axes that are missing have one place.
      shape: [1, 1, 1, ...shape].slice(-4) as [number, number, number, number],
      dtype,
      tables: [{ name: "weight", dtype, shape: [1, 1, 1, size] }],
      params: (_, tables) => {
        const [weight] = tables as [BoundTable];
        return { size, weightBase: weight.base, weightColumn: weight.strides[3] };
      },
      workgroups: ({ batches, heads, rows }) => length(batches) * length(heads) * length(rows),
      operations: 6 * size,
    },
    layouts,
    capabilities,
  );
}
