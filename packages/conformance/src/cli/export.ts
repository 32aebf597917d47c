import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type AttentionInputs,
  type AttentionOutputs,
  type HostTensor,
  isHeedError,
  referenceAttention,
} from "@heed/core";
import { InvalidArgumentError } from "commander";
import { caseInputs } from "../operations/attention/build/inputs.js";
import type { ConformanceCase } from "../run/case.js";
import { importBackend } from "./providers.js";

/** An ONNX test that `toOnnxTest` of `@heed/backend-onnx` makes of a call. */
interface OnnxTest {
  readonly model: Uint8Array;
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

type ToOnnxTest = (
  inputs: AttentionInputs<HostTensor>,
  expected: AttentionOutputs<HostTensor>,
) => OnnxTest;

/**
 * Writes cases as tests in the layout of ONNX's own (`NAME/model.onnx`,
 * `NAME/test_data_set_0/input_0.pb` …), so that any ONNX runtime can be run on them; the outputs are
 * the float64 reference's, rounded. Cases whose inputs `toOnnxTest` refuses are left out.
 */
export async function exportCases(
  directory: string,
  cases: readonly ConformanceCase[],
): Promise<void> {
  const { toOnnxTest } = (await importBackend("onnx")) as { toOnnxTest?: ToOnnxTest };
  if (typeof toOnnxTest !== "function") {
    throw new InvalidArgumentError("--export wants a @heed/backend-onnx that exports toOnnxTest");
  }
  let unexported = 0;
  for (const c of cases) {
    const inputs = caseInputs(c);
    let files: OnnxTest;
    try {
      files = toOnnxTest(inputs, referenceAttention(inputs));
    } catch (error) {
      if (!isHeedError(error, "unsupported")) throw error;
      unexported += 1;
      continue;
    }
    const folder = join(directory, `test_${c.id.replace(/[^A-Za-z0-9]+/g, "_")}`);
    const data = join(folder, "test_data_set_0");
    await mkdir(data, { recursive: true });
    await writeFile(join(folder, "model.onnx"), files.model);
    for (const [i, file] of files.inputs.entries()) {
      await writeFile(join(data, `input_${i}.pb`), file);
    }
    for (const [i, file] of files.outputs.entries()) {
      await writeFile(join(data, `output_${i}.pb`), file);
    }
  }
  if (unexported > 0) {
    process.stderr.write(
      `${unexported} cases have inputs that are not exported, and were left out\n`,
    );
  }
}
