import { basename, dirname, extname, join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import type { Advice } from "../recommend/recommend.js";

/**
 * Writes the first environment's recommendation to the path, and any other's beside it with the
 * environment's name: `use.json`, `use.chromium.json`.
 */
export async function writeAdvice(path: string, all: readonly Advice[]): Promise<void> {
  for (const [i, { environment, recommendation }] of all.entries()) {
    await writeFileAtomic(
      i === 0 ? path : besides(path, environment),
      `${JSON.stringify(recommendation, null, 2)}\n`,
    );
  }
}

function besides(path: string, environment: string): string {
  const extension = extname(path);
  return join(dirname(path), `${basename(path, extension)}.${environment}${extension}`);
}
