import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { OnnxRuntime } from "@heed/backend-onnx/runtime";
import { findProviders } from "@heed/conformance/providers";
import { createAttention, HeedError, InvalidInputError, reference } from "@heed/core";
import { Command, InvalidArgumentError, Option } from "commander";
import { checkModel } from "../check/check.js";
import { readNpz } from "../feeds/npz.js";
import { parseSizes, randomFeeds } from "../feeds/random.js";
import { readWholeFile } from "../files.js";
import { splice } from "../splice.js";
import type { OnnxTensor, SplicedModel } from "../spliced-model.js";
import { formatChecks, formatFound } from "./tables.js";

interface CheckFlags {
  readonly feeds?: string;
  readonly random?: string;
  readonly backend: readonly string[];
  readonly runtime: "node" | "web";
  readonly json?: boolean;
}

/** @returns the process's exit code: 0 passed, 1 an error is larger than allowed, 2 a wrong argument or file */
export async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command("heed-splice").description(
    "The attention of an ONNX model: what is found in it, and whether the model keeps its outputs when Heed runs it.",
  );
  program
    .command("check")
    .description(
      "compares the spliced model with the unspliced one, site by site and output by output",
    )
    .argument("<model>", "an ONNX file; weights outside of it are read from its folder")
    .option("--feeds <file>", "a file of numpy.savez with an array for each input")
    .option(
      "--random <sizes>",
      "random feeds: sizes by the file's names for them; batch and length stand for all others (batch=1,length=128)",
    )
    .option(
      "-b, --backend <name…>",
      "js, wasm, webgpu, onnx; default all that are installed",
      list,
      [],
    )
    .addOption(
      new Option("--runtime <name>", "onnxruntime-node or onnxruntime-web")
        .choices(["node", "web"])
        .default("node"),
    )
    .option("--json", "print the result as JSON")
    .action(async (model: string, flags: CheckFlags) => {
      code = await check(model, flags);
    });
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    const { code: named, exitCode } = error as { code?: string; exitCode?: number };
    if (error instanceof HeedError || error instanceof InvalidArgumentError || named === "ENOENT") {
      console.error(`error: ${(error as Error).message}`);
      return 2;
    }
    // Commander has printed its own message already.
    if (named?.startsWith("commander.")) return exitCode === 0 ? 0 : 2;
    throw error;
  }
}

async function check(file: string, flags: CheckFlags): Promise<number> {
  const bytes = await readFile(file);
  const options = {
    runtime: await importRuntime(flags.runtime),
    externalData: (path: string) => readWholeFile(join(dirname(file), path)),
  };
  const attention = await createAttention({ backends: [reference()] });
  const model = await splice(bytes, { ...options, attention });
  let feeds: Record<string, OnnxTensor>;
  try {
    if (!flags.json) console.log(formatFound(model));
    feeds = await feedsOf(model, flags);
  } finally {
    await model.dispose();
  }
  const found = await findProviders(flags.backend);
  const backends = found
    .map(({ provider }) => provider)
    .filter(({ name }) => flags.backend.length > 0 || name !== "reference");
  const checks = await checkModel(bytes, { ...options, feeds, backends });
  console.log(flags.json ? JSON.stringify(checks, null, 2) : formatChecks(checks));
  const ran = checks.filter((one) => "passed" in one);
  if (ran.length === 0) throw new InvalidArgumentError("no backend is available");
  return ran.every(({ passed }) => passed) ? 0 : 1;
}

async function feedsOf(
  model: SplicedModel,
  { feeds, random }: CheckFlags,
): Promise<Record<string, OnnxTensor>> {
  if (feeds !== undefined && random !== undefined) {
    throw new InvalidInputError("random", "nothing beside feeds", "both");
  }
  if (feeds !== undefined) return readNpz(await readFile(feeds));
  return randomFeeds(model.inputs, random === undefined ? { length: 16 } : parseSizes(random));
}

async function importRuntime(name: CheckFlags["runtime"]): Promise<OnnxRuntime> {
  const module =
    name === "node" ? await import("onnxruntime-node") : await import("onnxruntime-web");
  return ("default" in module ? module.default : module) as OnnxRuntime;
}

function list(value: string, before: readonly string[]): string[] {
  return [...before, ...value.split(",")];
}
