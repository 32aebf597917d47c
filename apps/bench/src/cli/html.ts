import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { BenchReport } from "../report/report.js";

/** Beside the sources, too, where tests run. */
const frame = fileURLToPath(new URL("../../dist/report-page/index.html", import.meta.url));

const opening = '<script id="reports" type="application/json">';

/**
 * A self-contained page with the report in it, which shows it as the web page does.
 *
 * @param earlier a report that it is compared with
 * @throws Error if its frame has not been built
 */
export async function reportToHtml(
  report: BenchReport,
  earlier: BenchReport | null,
): Promise<string> {
  const html = await readFile(frame, "utf8").catch((cause: unknown) => {
    throw new Error("the frame of the HTML report has not been built: pnpm build", { cause });
  });
  const at = html.indexOf(opening);
  if (at < 0) throw new Error(`${frame} has no place for reports`);
  const reports = earlier ? [report, earlier] : [report];
  // Inside a script element only a tag could end it; JSON can say "<" otherwise.
  const json = JSON.stringify(reports).replaceAll("<", "\\u003c");
  return html.slice(0, at + opening.length) + json + html.slice(at + opening.length);
}
