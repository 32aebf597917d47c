/**
 * Every kernel compiled by naga, the WGSL compiler of wgpu, which Firefox and Deno use. Needs Deno 2.9
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
import { expect, test, vi } from "vitest";
import { kernels } from "./kernel-forms.js";

// Half a minute on idle cores, most of it in the driver.
vi.setConfig({ testTimeout: 900_000 });

const deno = process.env.DENO_PATH;
const driver = process.env.HEED_NAGA_DRIVER ?? "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
const missing = [
  ...(deno ? [] : ["Deno (DENO_PATH)"]),
  ...(existsSync(driver) ? [] : [`the Vulkan driver ${driver} (HEED_NAGA_DRIVER)`]),
];

test("naga compiles every kernel", async ({ skip }) => {
  if (missing.length > 0) return skip(`missing: ${missing.join(", ")}`);
  const directory = await mkdtemp(join(tmpdir(), "heed-naga-"));
  try {
    const file = join(directory, "kernels.json");
    // Matrices of subgroups are an extension of Chrome's compiler alone.
    const portable = kernels.filter(({ code }) => !code.includes("subgroup_matrix"));
    await writeFile(file, JSON.stringify(portable.map(({ name, code }) => ({ name, code }))));
    const script = fileURLToPath(new URL("naga/compile.js", import.meta.url));
    const { LD_LIBRARY_PATH: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(
      deno as string,
      ["run", "--allow-all", "--unstable-webgpu", "--node-modules-dir=manual", script, file],
      { env: { ...env, VK_DRIVER_FILES: driver, XDG_RUNTIME_DIR: env.XDG_RUNTIME_DIR ?? "/tmp" } },
    );
    const said = JSON.parse(stdout) as Record<string, string | null>;
    const refused = Object.entries(said).filter(
      ([, error]) => error !== null && !error.startsWith("skipped"),
    );
    expect(refused).toEqual([]);
    const compiled = Object.entries(said).filter(([, error]) => error === null);
    // Wherever there is no shader-f16 or there are no subgroups, those of float32 still are.
    expect(compiled.length).toBeGreaterThan(40);
    expect(compiled.some(([name]) => name === "attention-scores-f16")).toBe(true);
  } finally {
    await rm(directory, { recursive: true });
  }
});
