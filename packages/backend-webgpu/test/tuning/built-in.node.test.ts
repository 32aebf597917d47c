/** The package's own tables are valid, and what was compiled of them is what the files say. */
import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { builtIn } from "../../src/attention/tuning/generated/index.js";
import { newRemembered, tuningOf } from "../../src/attention/tuning/remembered.js";
import { readTable, type TuningTable } from "../../src/attention/tuning/table.js";

const folder = new URL("../../tuning/", import.meta.url);
const generated = new URL("../../src/attention/tuning/generated/", import.meta.url);
const files = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();

test("there is a module for each file, and none without", async () => {
  const modules = (await readdir(generated)).map((name) => basename(name, ".ts"));
  const names = files.map((name) => basename(name, ".json"));
  expect(modules.sort()).toEqual([...names, "index"].sort());
  expect(builtIn.length).toBe(files.length);
});

test.each(files.map((file, i) => [file, i] as const))(
  "%s is compiled as it is",
  async (file, i) => {
    const read = JSON.parse(await readFile(new URL(file, folder), "utf8"));
    const tables: readonly TuningTable[] = Array.isArray(read) ? read : [read];
    const entry = builtIn[i] as (typeof builtIn)[number];
    const compiled = (await entry.load()).tables as readonly TuningTable[];
    expect(compiled.length, "node packages/backend-webgpu/tools/compile-tuning.js").toBe(
      tables.length,
    );
    for (const [at, table] of tables.entries()) {
      expect(readTable(table)).not.toHaveProperty("reason");
      const { vendor, architecture } = table.device;
      expect(entry).toMatchObject({ vendor, architecture });
      const faster = Object.fromEntries(
        Object.entries(table.choices).filter(([, c]) => c.gain > 1),
      );
      expect(compiled[at]).toEqual({ ...table, choices: faster });
      const tuning = await tuningOf({ ...table.device, description: "" }, newRemembered(undefined));
      for (const [problems, { settings }] of Object.entries(faster)) {
        expect(tuning.choices.get(problems)).toMatchObject({
          settings,
          source: "the package's table",
        });
      }
    }
  },
);
