import type { AttentionProblem } from "@heed/core";
import type { Capabilities } from "../../capabilities.js";
import { joinStages, type Schedule } from "../../execution/steps.js";
import type { Choice } from "../choose.js";
import { programLayout } from "../programs/layout.js";
import { ownRulesBytes } from "../rules.js";
import { packOutput, unpackInputs } from "./convert.js";
import { forward } from "./forward.js";
import { joinBeside } from "./join.js";
import { matrix } from "./matrix.js";
import { merge } from "./merge.js";
import type { AttentionOperands } from "./task.js";

/**
 * Everything that a run does on the device, in order. Pure.
 *
 * Parts of tensors that are larger than a binding may be are computed one after another: by batches,
 * heads and rows as far as that helps, and beyond by keys, whose parts are merged by log-sum-exp.
 *
 * @param blocks whether a block mask beside a mask program has to be looked at
 * @returns null where even the smallest part is larger than a binding
 */
export function schedule(
  problem: AttentionProblem,
  choice: Choice,
  operands: AttentionOperands,
  capabilities: Capabilities,
  blocks = false,
): Schedule | null {
  const vector = ownRulesBytes(problem, choice) / 16;
  const programs = programLayout(problem, choice, vector);
  const task = { problem, choice, capabilities, programs, blocks };
  const { batch, queryHeads, queryLength, keyLength, valueDim, returns } = problem;
  const rows = batch * queryHeads * queryLength;
  if (rows === 0) return joinStages([]);
  const { inputs: unjoined, ...unpacked } = unpackInputs(task, operands);
  const { inputs, ...joined } = joinBeside(task, unjoined);
  const output = forward(task, inputs);
  if (output === null) return null;
  const stages: (Schedule | null)[] = [unpacked, joined, output];
  if (output.parts !== null) stages.push(merge(task, output.parts));
  stages.push(packOutput(task, "output", rows * valueDim));
  for (const name of ["scores", "weights"] as const) {
    const wanted = name === "weights" ? returns.weights : returns.scores !== null;
    if (!wanted || keyLength === 0) continue;
    stages.push(matrix(task, inputs, name, output.parts ?? 1));
    stages.push(packOutput(task, name, rows * keyLength));
  }
  return joinStages(stages);
}
