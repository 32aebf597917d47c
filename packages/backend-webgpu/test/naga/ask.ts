/**
 * Kernels compiled by naga, the WGSL compiler of wgpu, which Firefox and Deno use. Needs Deno 2.9
 * or later (`DENO_PATH`, for instance of npm's @deno/linux-x64-glibc) and a Vulkan driver with shader-f16 for
 * it (Debian: mesa-vulkan-drivers and libvulkan1; `HEED_NAGA_DRIVER` names another driver's file).
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Kernel } from "../../src/wgsl/kernel.js";

const deno = process.env.DENO_PATH;
const driver = process.env.HEED_NAGA_DRIVER ?? "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

/** Names of what naga needs and is not here. */
export const missing: readonly string[] = [
  ...(deno ? [] : ["Deno (DENO_PATH)"]),
  ...(existsSync(driver) ? [] : [`the Vulkan driver ${driver} (HEED_NAGA_DRIVER)`]),
];

/** The answers to kernels, by name. */
export interface Answers {
  readonly compiled: readonly string[];
  /** Kernels with naga's message. */
  readonly refused: readonly (readonly [string, string])[];
  /** Kernels that need a feature which the device lacks. */
  readonly skipped: readonly string[];
}

/** @param pipelines whether the driver compiles them, too: it takes a tenth of a second for each */
export async function compileWithNaga(
  kernels: readonly Kernel[],
  pipelines: boolean,
): Promise<Answers> {
  const directory = await mkdtemp(join(tmpdir(), "heed-naga-"));
  try {
    const file = join(directory, "kernels.json");
    // Matrices of subgroups are an extension of Chrome's compiler alone.
    const portable = kernels.filter(({ code }) => !code.includes("subgroup_matrix"));
    const texts = portable.map(({ name, code }) => ({ name, code, pipeline: pipelines }));
    await writeFile(file, JSON.stringify(texts));
    const script = fileURLToPath(new URL("compile.js", import.meta.url));
    const { LD_LIBRARY_PATH: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(
      deno as string,
      ["run", "--allow-all", "--unstable-webgpu", "--node-modules-dir=manual", script, file],
      {
        env: { ...env, VK_DRIVER_FILES: driver, XDG_RUNTIME_DIR: env.XDG_RUNTIME_DIR ?? "/tmp" },
        maxBuffer: 2 ** 26,
      },
    );
    const said = Object.entries(JSON.parse(stdout) as Record<string, string | null>);
    return {
      compiled: said.flatMap(([name, error]) => (error === null ? [name] : [])),
      refused: said.flatMap(([name, error]) =>
        error === null || error.startsWith("skipped") ? [] : [[name, error] as const],
      ),
      skipped: said.flatMap(([name, error]) => (error?.startsWith("skipped") ? [name] : [])),
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}
