import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { bert } from "../../../packages/splice/test/models/encoders.js";
import { withWeightsOutside } from "../../../packages/splice/test/models/outside.js";
import { main } from "../src/cli/main.js";
import { engineNames, hasEngine } from "../src/engines/index.js";
import { parseReport } from "../src/report/parse.js";

const required = (process.env.HEED_REQUIRE ?? "").split(",");
/** Firefox and WebKit take minutes on a busy machine, and open the page that chromium opens. */
const engines =
  process.env.HEED_TEST_SCOPE === "all"
    ? engineNames
    : engineNames.filter((name) => name !== "firefox" && name !== "webkit");
const built = existsSync(fileURLToPath(new URL("../dist/page/index.html", import.meta.url)));

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(engines)("--model in %s", { timeout: 300_000 }, (engine) => {
  const here = built && hasEngine(engine);

  test.runIf(!here)("is tested", () => {
    if (required.includes(engine)) throw new Error(built ? `no ${engine}` : "no dist: build");
  });

  test.runIf(here)("each site and the whole get a column and a line of advice", async () => {
    const folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    let printed = "";
    vi.spyOn(console, "log").mockImplementation((text: string) => {
      printed += `${text}\n`;
    });
    vi.spyOn(console, "error").mockImplementation(() => {});
    vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    const model = join(folder, "mine.onnx");
    const outside = withWeightsOutside(bert().bytes, ["mine.onnx_data", "parts/more data.bin"]);
    await writeFile(model, outside.bytes);
    await mkdir(join(folder, "parts"));
    for (const [path, bytes] of outside.files) await writeFile(join(folder, path), bytes);
    const json = join(folder, "report.json");
    const args = ["--model", model, "--random", "batch=1,length=4", "--samples", "1"];
    const more = ["--backends", "js", "--budget", "20", "--json", json, `--${engine}`];
    expect(await main([...args, ...more])).toBe(0);

    const report = parseReport(JSON.parse(await readFile(json, "utf8")));
    expect(report.environments.map(({ name }) => name)).toEqual(["node", engine]);
    expect(report.cases).toHaveLength(2);
    for (const { id, results } of report.cases) {
      const names = ["onnxruntime", "js"].flatMap((name) => [name, `${engine}/${name}`]);
      const measured = results.filter(({ status }) => status === "measured");
      expect(measured.map(({ contender }) => contender).sort()).toEqual(names.sort());
      expect(printed).toContain(`  ${id}: js, `);
      expect(printed).toContain(`  ${id}: ${engine}/js, `);
    }
  });
});
