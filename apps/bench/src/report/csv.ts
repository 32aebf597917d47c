import { csvFormat } from "d3-dsv";
import { csvText } from "./escape.js";
import type { BenchReport } from "./report.js";
import { rowsOf } from "./rows.js";

/** Ids, titles and messages come from whoever made the report; a spreadsheet would compute with them. */
function withoutFormulas<T extends object>(row: T): T {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === "string" ? csvText(value) : value,
    ]),
  ) as T;
}

/** Every result as a line of comma-separated values (RFC 4180), units in the header. */
export function reportToCsv(report: BenchReport): string {
  const rows = rowsOf(report).map(({ report: c, result, environment, note, shown: n }) => {
    // Wrong results keep their numbers; the column `status` marks them.
    return {
      case: c.id,
      suite: c.suite,
      series: c.series?.name ?? "",
      at: c.series?.at ?? "",
      operation: c.operation,
      ...c.sizes,
      dtype: report.options.dtype,
      contender: result.contender,
      environment: environment.name,
      status: result.status,
      error_in_budgets: "errorInBudgets" in result ? (result.errorInBudgets ?? "") : "",
      median_ms: n?.median ?? "",
      p25_ms: n?.p25 ?? "",
      p75_ms: n?.p75 ?? "",
      samples: n?.count ?? "",
      outliers: n?.outliers ?? "",
      calls_per_sample: n?.callsPerSample ?? "",
      clock: n?.clock ?? "",
      device_median_ms: n?.deviceMedian ?? "",
      read_median_ms: n?.readMedian ?? "",
      attention_run_host_median_ms: n?.attention.host ?? "",
      attention_run_resident_median_ms: n?.attention.resident ?? "",
      gflops_per_s: n?.gflops ?? "",
      gigabytes_per_s: n?.gbps ?? "",
      tokens_per_s: n?.tokensPerSecond ?? "",
      cache_bytes: n?.cacheBytes ?? "",
      tiles_skipped: c.tiles?.skipped ?? "",
      ceiling_fraction: n?.fraction?.fraction ?? "",
      ceiling_limit: n?.fraction?.limit ?? "",
      plan_ms: n?.planMs ?? "",
      place_ms: n?.placeMs ?? "",
      first_call_ms: n?.firstCallMs ?? "",
      workspace_bytes: n?.workspaceBytes ?? "",
      peak_bytes: n?.peakBytes ?? "",
      peak_of: n?.peakOf ?? "",
      kernel: n?.kernel ?? "",
      inputs: n?.inputs ?? "",
      times_as_fast_as_first: n?.ratio?.value ?? "",
      note: note ?? "",
    };
  });
  return `${csvFormat(rows.map(withoutFormulas))}\n`;
}
