import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { openGpuClock } from "../src/contenders/gpu-clock.js";

const tool = fileURLToPath(new URL("../tools/gpu-time.js", import.meta.url));
const found = await openGpuClock();
const required = (process.env.HEED_REQUIRE ?? "").split(",").includes("webgpu");
if (required && "missing" in found) throw new Error(found.missing);
if ("clock" in found) found.clock.dispose();

interface Result {
  readonly contender: string;
  readonly dtype: string;
  readonly ms?: number;
  readonly reason?: string;
}

test.runIf("clock" in found)(
  "times everything that is here, and names what is not",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "heed-gpu-time-"));
    try {
      const json = join(folder, "times.json");
      const quick = ["--quick", "--runs", "1", "--shape", "H2,L32,D16", "--json", json];
      const absent = ["--python", join(folder, "no-python")];
      const { stdout } = await promisify(execFile)(process.execPath, [tool, ...quick, ...absent]);
      expect(stdout).toMatch(/^- webgpu: /);
      expect(stdout).toMatch(/PyTorch: left out: .*ENOENT/);
      const report = JSON.parse(await readFile(json, "utf8")) as {
        peak: number;
        bandwidth: number;
        results: Result[];
      };
      expect(report.peak).toBeGreaterThan(0);
      expect(report.bandwidth).toBeGreaterThan(0);
      const of = (contender: string, dtype: string) =>
        report.results.find((r) => r.contender === contender && r.dtype === dtype);
      expect(of("webgpu", "float32")?.ms).toBeGreaterThanOrEqual(0);
      expect(of("webgpu", "float16")?.ms).toBeGreaterThanOrEqual(0);
      expect(of("onnxruntime fused", "float16")?.reason).toMatch(/float32/);
      expect(stdout.split("\n").filter((line) => line.startsWith("| B1,H2,L32,D16"))).toHaveLength(
        report.results.length,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  300_000,
);
