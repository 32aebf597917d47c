import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { main } from "../src/cli/main.js";
import { parseReport } from "../src/report/parse.js";

let folder: string;
let printed: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "heed-bench-"));
  printed = "";
  vi.spyOn(console, "log").mockImplementation((text: string) => {
    printed += `${text}\n`;
  });
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});

afterEach(async () => {
  vi.restoreAllMocks();
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

test("an interrupted run is exit code 130 and leaves no file", async () => {
  const args = ["--shape", "H2,L16,D8", "--backends", "js", "--samples", "1"];
  const running = main([...args, "--json", join(folder, "report.json")]);
  process.emit("SIGINT");
  expect(await running).toBe(130);
  expect(await readdir(folder)).toEqual([]);
});
