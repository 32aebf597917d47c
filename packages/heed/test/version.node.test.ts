import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { defaultStore } from "../src/learn/store.js";
import { version } from "../src/version.js";

test("the version is that of package.json", async () => {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  expect(version).toBe(JSON.parse(text).version);
});

test("Node keeps what is learned in a file of the user's cache folder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "heed-store-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { pid, platform, getBuiltinModule } = process;
  const env = { XDG_CACHE_HOME: folder, LOCALAPPDATA: folder };
  const globals = { process: { pid, platform: "linux", env, getBuiltinModule } };
  expect(platform.length).toBeGreaterThan(0);
  const store = defaultStore(globals as never);
  await expect(store?.read()).rejects.toMatchObject({ code: "ENOENT" });
  await store?.write("text");
  expect(await store?.read()).toBe("text");
  expect(await readdir(join(folder, "heed"))).toEqual(["learned.json"]);
});
