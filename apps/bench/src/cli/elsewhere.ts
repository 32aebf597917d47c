import { dirname, join } from "node:path";
import { externalFilesOf, readWholeFile } from "@heed/splice/files";
import { type BrowserName, type EngineName, isBrowser } from "../engines/names.js";
import { openPage, runPage } from "../engines/page.js";
import { runIn } from "../engines/runtime.js";
import type { ModelRequest } from "../model/request.js";
import { parseReport } from "../report/parse.js";
import type { BenchReport } from "../report/report.js";
import { type RunRequest, requestToParams } from "../request.js";
import { nodeEnvironment } from "./environment.js";
import { measureInProcess } from "./launch.js";
import { servePage } from "./serve.js";

/**
 * Measures in another engine: in a browser it runs the page that was built, as a person would, and in a
 * runtime the same modules as here.
 *
 * @param say is told how far it is
 * @throws MissingEngineError; Error if the engine ends, or the run fails there
 */
export function measureElsewhere(
  engine: EngineName,
  request: RunRequest,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<BenchReport> {
  return isBrowser(engine)
    ? measureInBrowser(engine, request, signal, say)
    : measureInProcess(request, async (script, args) => {
        const code = await runIn(engine, { script, args, signal });
        if (code !== 0) throw new Error(`its process ended with exit code ${code}`);
      });
}

async function measureInBrowser(
  name: BrowserName,
  request: RunRequest,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<BenchReport> {
  const { model, files } = await modelFiles(request.model);
  const served = await servePage({ port: 0, isolated: true, files });
  try {
    const page = await openPage(name);
    // Whatever it is doing, closing it ends it.
    const close = () => void page.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      const params = requestToParams({ ...request, model });
      params.set("ceiling", String(request.ceiling));
      params.set("run", "");
      const report = parseReport(
        await runPage<unknown>(page, { url: `${served.url}?${params}`, say }),
      );
      // The machine is the same, and Node knows its processor and memory.
      const { cpu, memory, platform } = nodeEnvironment();
      return {
        ...report,
        environments: report.environments.map((e) => ({
          ...e,
          ...{ cpu, memory, platform },
          // A page cannot know it of every browser.
          ...{ name, versions: { ...e.versions, [name]: page.version } },
        })),
        contenders: report.contenders.map((c) => ({ ...c, environment: name })),
      };
    } finally {
      signal.removeEventListener("abort", close);
      await page.close();
    }
  } finally {
    await served.close();
  }
}

/**
 * A model as the page finds it: files of this machine at addresses beside the page. Weights outside the model are where
 * it says, beside its own address.
 */
async function modelFiles(model: ModelRequest | null): Promise<{
  readonly model: ModelRequest | null;
  readonly files: ReadonlyMap<string, string>;
}> {
  const files = new Map<string, string>();
  const at = (address: string, path: string): string => {
    files.set(`/${address}`, path);
    return `./${address}`;
  };
  if (!model) return { model, files };
  const file = at("given/model.onnx", model.file);
  for (const path of externalFilesOf(await readWholeFile(model.file))) {
    const { pathname } = new URL(path, "http://localhost/given/");
    files.set(pathname, join(dirname(model.file), path));
  }
  const feeds = model.feeds === null ? null : at("given/feeds.npz", model.feeds);
  return { model: { ...model, file, feeds }, files };
}
