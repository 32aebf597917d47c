import type { ConformanceReport } from "./report.js";

/**
 * Reports with what to call them: the backend, and a number where others are of the same one, as from
 * two devices.
 */
export function titled(
  reports: readonly ConformanceReport[],
): (ConformanceReport & { readonly title: string })[] {
  return reports.map((report, at) => {
    const same = reports.flatMap(({ backend }, i) => (backend === report.backend ? [i] : []));
    const number = same.length > 1 ? ` (${same.indexOf(at) + 1})` : "";
    return { ...report, title: `${report.backend}${number}` };
  });
}
