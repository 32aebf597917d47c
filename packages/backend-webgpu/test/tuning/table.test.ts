/** Tables of tuning come from outside: from files, storage and other people. */
import { expect, test } from "vitest";
import { DeviceTuning } from "../../src/attention/tuning/device-tuning.js";
import { newRemembered, tuningOf } from "../../src/attention/tuning/remembered.js";
import { readTable, type TunedDevice, type TuningTable } from "../../src/attention/tuning/table.js";

const device: TunedDevice = {
  vendor: "maker",
  architecture: "shape",
  device: "0x1",
  description: "driver 1.0",
  features: ["shader-f16", "subgroups"],
};
const settings = { kernel: "decode", columns: 64, splits: 8 } as const;
const table: TuningTable = {
  format: "heed-webgpu-tuning",
  version: 1,
  device,
  choices: { "a class": { settings, gain: 1.5 } },
};
/** A table with a part replaced, whatever its type. */
const altered = (change: object) => ({ ...table, ...change });
const withSettings = (other: object) => altered({ choices: { c: { settings: other, gain: 2 } } });

test("a table survives JSON, and shares nothing with what was given", () => {
  const given = JSON.parse(JSON.stringify(table));
  const read = readTable(given);
  given.choices["a class"].settings.splits = 99;
  given.device.features.push("more");
  expect(read).toEqual({ device, choices: new Map([["a class", { settings, gain: 1.5 }]]) });
});

test("every kernel's settings are read, without members that are not theirs", () => {
  const all = [
    { kernel: "tile", lanes: 16, columns: 128, subgroups: true, splits: 1 },
    { kernel: "row", splits: 4 },
    settings,
    { kernel: "subgroup-matrix", rows: 64, columns: 32, splits: 1 },
    { kernel: "quad", rows: 16, keys: 2, subgroups: false, splits: 1 },
    { kernel: "stream", rows: 4, splits: 8 },
  ];
  for (const one of all) {
    const read = readTable(withSettings({ ...one, threads: 1e9 }));
    expect(read).toMatchObject({ choices: new Map([["c", { settings: one, gain: 2 }]]) });
  }
});

const revoked = Proxy.revocable({}, {});
revoked.revoke();
const throwing = {
  get format(): never {
    throw new Error("no");
  },
};

test.each([
  ["nothing", null, /not an object/],
  ["a text", "heed-webgpu-tuning", /not an object/],
  ["a list in a list", [table], /not an object/],
  ["another file", { scripts: {} }, /no table of tuning/],
  ["a getter that throws", throwing, /throws when it is read/],
  ["a revoked proxy", revoked.proxy, /throws when it is read/],
  ["a later version", altered({ version: 2 }), /version 2/],
  ["choices that are a list", altered({ choices: [] }), /choices is/],
  ["no device", altered({ device: undefined }), /device is undefined/],
  ["a device without a vendor", altered({ device: { ...device, vendor: 7 } }), /vendor/],
  ["features that are a text", altered({ device: { ...device, features: "f16" } }), /features/],
  [
    "a feature that is no text",
    altered({ device: { ...device, features: [{}] } }),
    /a feature of its device/,
  ],
  ["a choice that is a number", altered({ choices: { c: 1 } }), /choices\["c"\]/],
  ["no settings", altered({ choices: { c: { gain: 2 } } }), /settings is undefined/],
  ["a gain below 1", altered({ choices: { c: { settings, gain: 0.5 } } }), /gain is 0.5/],
  ["a gain that is no number", altered({ choices: { c: { settings, gain: "2" } } }), /gain is "2"/],
  ["an unknown kernel", withSettings({ kernel: "magic", splits: 1 }), /kernel is "magic"/],
  ["a kernel by its prototype", withSettings({ kernel: "toString", splits: 1 }), /kernel is/],
  ["no splits", withSettings({ kernel: "row" }), /splits are undefined/],
  ["no whole splits", withSettings({ kernel: "row", splits: 1.5 }), /splits are 1.5/],
  ["too many splits", withSettings({ kernel: "row", splits: 1e9 }), /splits are/],
  ["a width that no kernel has", withSettings({ ...settings, columns: 96 }), /columns of decode/],
  ["a size that is missing", withSettings({ kernel: "stream", splits: 4 }), /rows of stream/],
  [
    "a flag that is a text",
    withSettings({ kernel: "quad", rows: 4, keys: 1, subgroups: "yes", splits: 1 }),
    /subgroups of quad/,
  ],
  [
    "too many choices",
    altered({
      choices: Object.fromEntries(
        Array.from({ length: 4097 }, (_, i) => [i, { settings, gain: 1 }]),
      ),
    }),
    /more than 4096 choices/,
  ],
  [
    "a name of a megabyte",
    altered({ choices: { ["x".repeat(2 ** 20)]: { settings, gain: 1 } } }),
    /too long/,
  ],
] as [string, unknown, RegExp][])("a damaged table is ignored: %s", (_, given, reason) => {
  expect(readTable(given)).toEqual({ reason: expect.stringMatching(reason) });
  const tuning = new DeviceTuning(device);
  tuning.addGiven(given);
  expect(tuning.choices.size).toBe(0);
  expect(tuning.notes).toEqual([expect.stringMatching(/^a table of tuning was ignored: /)]);
  expect(tuning.table).toBe(null);
});

test("a name like __proto__ is a name, and changes no prototype", () => {
  const given = JSON.parse(
    JSON.stringify(table).replace('"a class"', '"__proto__"'),
  ) as TuningTable;
  const tuning = new DeviceTuning(device);
  tuning.addGiven(given);
  expect(tuning.choices.get("__proto__")?.settings).toEqual(settings);
  expect(({} as { settings?: unknown }).settings).toBe(undefined);
  expect(readTable(JSON.parse(JSON.stringify(tuning.table)))).toMatchObject({
    choices: new Map([["__proto__", { settings, gain: 1.5 }]]),
  });
});

test.each([
  ["vendor", "other"],
  ["architecture", "other"],
  ["device", "0x2"],
  ["description", "driver 2.0"],
  ["features", ["subgroups"]],
] as const)("a table of a device with another %s is ignored, and says why", (name, value) => {
  const tuning = new DeviceTuning({ ...device, [name]: value });
  tuning.addGiven(table);
  expect(tuning.choices.size).toBe(0);
  expect(tuning.notes[0]).toMatch(/it is of maker shape 0x1 driver 1.0 with .*, and this is /);
});

test("the package's table also serves another driver, and a browser that hides the device", () => {
  for (const like of [
    { ...device, description: "driver 2.0" },
    { ...device, device: "", description: "" },
    { ...device, features: ["subgroups", "shader-f16"] },
  ]) {
    const tuning = new DeviceTuning(like);
    tuning.addBuiltIn(table);
    expect(tuning.choices.get("a class")).toMatchObject({
      settings,
      source: "the package's table",
    });
    // It comes with the package: there is nothing to store.
    expect(tuning.table).toBe(null);
  }
  const other = new DeviceTuning({ ...device, device: "0x2" });
  other.addBuiltIn(table);
  expect(other.choices.size).toBe(0);
});

test("what was measured comes before the application's table, and that before the package's", () => {
  const tuning = new DeviceTuning(device);
  const of = (splits: number, ...names: string[]) => ({
    ...table,
    choices: Object.fromEntries(
      names.map((name) => [name, { settings: { ...settings, splits }, gain: 2 }]),
    ),
  });
  tuning.addBuiltIn(of(1, "a", "b", "c"));
  tuning.addGiven(of(2, "b", "c"));
  tuning.add("c", { settings: { ...settings, splits: 3 }, gain: 2 });
  const splits = ["a", "b", "c"].map((name) => tuning.choices.get(name)?.settings.splits);
  expect(splits).toEqual([1, 2, 3]);
  expect(Object.keys(tuning.table?.choices ?? {})).toEqual(["b", "c"]);
  expect(tuning.notes).toEqual([
    "3 choices of kernels from the package's table for this device",
    "2 choices of kernels from a table of the application",
    "1 choice of kernels measured on this device",
  ]);
});

test("a provider's backends share what one of them measured, by device", async () => {
  const remembered = newRemembered([null, table]);
  const first = await tuningOf(device, remembered);
  first.add("measured", { settings, gain: 3 });
  const again = await tuningOf({ ...device }, remembered);
  expect([...again.choices.keys()]).toEqual(["a class", "measured"]);
  const other = await tuningOf({ ...device, vendor: "other" }, remembered);
  expect(other.choices.size).toBe(0);
});
