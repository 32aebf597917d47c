import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { main } from "../src/cli/main.js";
import { parseReport } from "../src/report/parse.js";

let folder: string;
let printed: string;
let told: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
  printed = "";
  vi.spyOn(console, "log").mockImplementation((text: string) => {
    printed += `${text}\n`;
  });
  told = "";
  vi.spyOn(console, "error").mockImplementation((text: string) => {
    told += `${text}\n`;
  });
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

test("a whole run prints a table and writes its report, and nothing else", async () => {
  const json = join(folder, "report.json");
  const args = ["--shape", "H2,L16,D8", "--backends", "js,reference", "--samples", "1"];
  expect(await main([...args, "--json", json])).toBe(0);
  expect(printed).toContain("B1,H2,L16,D8");
  const report = parseReport(JSON.parse(await readFile(json, "utf8")));
  expect(report.cases[0]?.results.map(({ status }) => status)).toEqual(["measured", "measured"]);
  expect(await readdir(folder)).toEqual(["report.json"]);
});

test("recorded tensors run", async () => {
  expect(await main(["--cases", "real", "--backends", "js", "--samples", "1"])).toBe(0);
  expect(printed).toContain("sentence-encoder-layer0");
  expect(printed).toContain("text-recogniser-block2");
});

test("what exists can be listed", async () => {
  expect(await main(["--list"])).toBe(0);
  for (const name of ["bert-base-512", "h4-l2048-d64", "wasm", "jax-js", "huggingface.co"]) {
    expect(printed).toContain(name);
  }
});

test("wrong arguments are exit code 2; help is not", async () => {
  vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  expect(await main(["--cases", "nope"])).toBe(2);
  expect(await main(["--json", join(folder, "nowhere", "report.json")])).toBe(2);
  expect(await main(["--help"])).toBe(0);
});

test.each([
  ["a folder", (at: string) => ["--json", at], "a folder"],
  ["a device", () => ["--csv", "/dev/null"], "no regular file"],
  ["nowhere", (at: string) => ["--recommendation", join(at, "no", "use.json")], "ENOENT"],
  [
    "one file for two formats",
    (at: string) => ["--json", join(at, "a"), "--csv", `${at}/./a`],
    "another file than --json's",
  ],
])(
  "outputs that cannot be written are told before anything is measured: %s",
  async (_, to, part) => {
    const args = ["--shape", "H2,L16,D8", "--backends", "js", "--samples", "1"];
    expect(await main([...args, ...to(folder)])).toBe(2);
    expect(printed).toBe("");
    expect(told).toContain(part);
    expect(await readdir(folder)).toEqual([]);
  },
);

test("files that are not reports are told apart", async () => {
  const path = join(folder, "report.json");
  for (const [text, part] of [
    ["{", "JSON"],
    ["[]", "report.format: expected"],
    ['{"format":"heed-bench","version":1}', "report.version: expected 2"],
  ] as const) {
    await writeFile(path, text);
    expect(await main(["--from", path])).toBe(2);
    expect(told).toContain(`--from ${path}: `);
    expect(told).toContain(part);
  }
});

test("what chromium or a file lacks is told, and the rest is not lost", async () => {
  vi.stubEnv("CHROMIUM_PATH", process.execPath);
  const json = join(folder, "report.json");
  const args = ["--shape", "H2,L16,D8", "--backends", "js", "--samples", "1", "--chromium"];
  expect(await main([...args, "--json", json])).toBe(4);
  expect(told).toContain("chromium's results are missing");
  expect(parseReport(JSON.parse(await readFile(json, "utf8"))).cases).toHaveLength(1);
  vi.stubEnv("CHROMIUM_PATH", join(folder, "none"));
  printed = "";
  expect(await main(args)).toBe(2);
  expect(printed).toBe("");
});

test("an interrupted run is exit code 130 and leaves no file", async () => {
  const args = ["--shape", "H2,L16,D8", "--backends", "js", "--samples", "1"];
  const running = main([...args, "--json", join(folder, "report.json")]);
  process.emit("SIGINT");
  expect(await running).toBe(130);
  expect(await readdir(folder)).toEqual([]);
});
