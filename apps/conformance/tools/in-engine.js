// The suite in an engine: in a browser on the page, which is built and served; in a runtime by the command.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isBrowser, openPage, runIn, runPage, serveFolder } from "@heed/bench/engines";
import { build } from "vite";

/**
 * @typedef {object} EngineRun
 * @property {readonly string[]} backends names of the page, such as "onnx:wasm", or of the command
 * @property {string} [profile] only the cases of this profile
 * @property {Readonly<Record<string, string>>} [env] variables of the engine's environment
 */

/**
 * Builds the page from its sources, and serves it.
 *
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function serveSuite() {
  const outDir = await mkdtemp(join(tmpdir(), "heed-page-"));
  const root = fileURLToPath(new URL("..", import.meta.url));
  await build({ root, logLevel: "warn", build: { outDir, emptyOutDir: true } });
  const page = await serveFolder(outDir, { port: 0, isolated: true });
  return {
    url: page.url,
    close: async () => {
      await page.close();
      await rm(outDir, { recursive: true });
    },
  };
}

/**
 * Runs cases in an engine.
 *
 * @param {import("@heed/bench/engines").EngineName | "node"} engine
 * @param {EngineRun} run
 * @param {() => Promise<{ url: string }>} served gives the page, if the engine is a browser
 * @returns {Promise<{ version: string, json: string }>} the browser's version, or "" of a runtime; the suite's report
 * @throws {import("@heed/bench/engines").MissingEngineError} Error if nothing is reported
 */
export async function suiteIn(engine, run, served) {
  return isBrowser(engine) ? inBrowser(engine, run, await served()) : inRuntime(engine, run);
}

async function inBrowser(engine, { backends, profile = "", env }, { url }) {
  const page = await openPage(engine, { env });
  try {
    const query = new URLSearchParams([
      ...backends.map((name) => ["backend", name]),
      ["profile", profile],
      ["start", ""],
    ]);
    const json = await runPage(page, { url: `${url}?${query}`, say: () => {} });
    return { version: page.version, json };
  } finally {
    await page.close();
  }
}

async function inRuntime(engine, { backends, profile, env }) {
  const folder = await mkdtemp(join(tmpdir(), "heed-engine-"));
  try {
    const script = fileURLToPath(
      new URL("../../../packages/conformance/bin/heed-conformance.js", import.meta.url),
    );
    const args = ["--backend", backends.join(","), "--out", folder];
    if (profile) args.push("--profile", profile);
    let printed = "";
    const print = (text) => {
      printed += text;
    };
    if (engine === "node") await runInNode(script, args, env, print);
    else await runIn(engine, { script, args, env, print });
    const json = await readFile(join(folder, "report.json"), "utf8").catch((cause) => {
      throw new Error(`${engine} wrote no report: ${printed}`, { cause });
    });
    return { version: "", json };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runInNode(script, args, env, print) {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  child.stdout.setEncoding("utf8").on("data", print);
  await once(child, "exit");
}
