/** The repository's tables of tuning, and those of device reports, are valid and compiled as they are. */
import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { builtIn } from "../../src/attention/tuning/generated/index.js";
import { newRemembered, tuningOf } from "../../src/attention/tuning/remembered.js";
import { readTable, type TuningTable } from "../../src/attention/tuning/table.js";

async function filesOf(folder: string): Promise<readonly { name: string; read: unknown }[]> {
  const url = new URL(folder, import.meta.url);
  const names = (await readdir(url)).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    names.map(async (name) => ({
      name,
      read: JSON.parse(await readFile(new URL(name, url), "utf8")) as unknown,
    })),
  );
}

const own = (await filesOf("../../tuning/")).flatMap(({ name, read }) =>
  (Array.isArray(read) ? read : [read]).map((table: TuningTable) => ({ name, table })),
);
const reported = (await filesOf("../../../../reports/")).flatMap(({ name, read }) => {
  const { tuning } = read as { readonly tuning?: TuningTable };
  // Firefox names no device: what it measured says nothing about other devices without a name.
  return tuning && (tuning.device.vendor || tuning.device.architecture)
    ? [{ name, table: tuning }]
    : [];
});

test("there is a module for each architecture of a table, and none without", () => {
  const wanted = [...own, ...reported].map(({ table: { device } }) => [
    device.vendor,
    device.architecture,
  ]);
  const there = builtIn.map(({ vendor, architecture }) => [vendor, architecture]);
  expect(new Set(there.map(String))).toEqual(new Set(wanted.map(String)));
  expect(there.length).toBe(new Set(there.map(String)).size);
});

test.each([...reported, ...own].map(({ name, table }, i) => [name, i, table] as const))(
  "%s (table %i) is compiled as it is",
  async (_, __, table) => {
    expect(readTable(table)).not.toHaveProperty("reason");
    const { vendor, architecture } = table.device;
    const entry = builtIn.find((one) => one.vendor === vendor && one.architecture === architecture);
    const choices = Object.fromEntries(Object.entries(table.choices).filter(([, c]) => c.gain > 1));
    expect((await entry?.load())?.tables).toContainEqual({ ...table, choices });
  },
);

test.each(own.map(({ name, table }, i) => [name, i, table] as const))(
  "choices of %s (table %i) are defaults of the device with any driver",
  async (_, __, table) => {
    const tuning = await tuningOf({ ...table.device, description: "" }, newRemembered(undefined));
    for (const [problems, { settings, gain }] of Object.entries(table.choices)) {
      if (gain === 1) continue;
      expect(tuning.choices.get(problems)).toMatchObject({
        settings,
        source: "the package's table",
      });
    }
  },
);

test("no default is for devices without a name", () => {
  expect(builtIn.filter(({ vendor, architecture }) => !vendor && !architecture)).toEqual([]);
});
