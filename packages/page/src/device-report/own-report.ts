import {
  type DeviceEnvironment,
  type DeviceParts,
  type DeviceReport,
  makeDeviceReport,
  parseDeviceReport,
} from "@heed/conformance/device-report";
import { type Signal, signal } from "@preact/signals";
import { describeBrowser } from "../describe-browser.js";

/** Key of the report between visits: the benchmark and the suite are two pages of one origin, and share it. */
const key = "heed-device-report";

/** Findings of this browser about its device so far, on any of the pages; null before there are any. */
export const ownReport: Signal<DeviceReport | null> = signal(null);

/** Why the last results could not be added to it; null if they could. */
export const ownReportProblem: Signal<string | null> = signal(null);

/** Reads what earlier visits have left. */
export function readOwnReport(): void {
  ownReport.value = stored(browserEnvironment());
}

/** Adds a part, in place of an earlier one of its kind. */
export function addToOwnReport(parts: Partial<Omit<DeviceParts, "created">>): void {
  const environment = parts.environment ?? browserEnvironment();
  const earlier = stored(environment) ?? ownReport.value;
  try {
    ownReport.value = makeDeviceReport({
      ...(earlier?.device && { device: earlier.device }),
      ...(earlier?.conformance && { conformance: earlier.conformance }),
      ...(earlier?.benchmark && { benchmark: earlier.benchmark }),
      ...(earlier?.tuning && { tuning: earlier.tuning }),
      ...parts,
      // The benchmark says more about the environment than the suite does.
      environment: { ...earlier?.environment, ...environment },
    });
    ownReportProblem.value = null;
    write(JSON.stringify(ownReport.value));
  } catch (error) {
    ownReportProblem.value = error instanceof Error ? error.message : String(error);
  }
}

/** The environment that this page runs in, as far as every page can tell. */
function browserEnvironment(): DeviceEnvironment {
  const { name, ...rest } = describeBrowser();
  return { engine: name, ...rest, cpu: null, memory: null };
}

/** The report of earlier visits; null if there is none, or if it was made with another version of the browser. */
function stored({ engine, versions }: DeviceEnvironment): DeviceReport | null {
  try {
    const report = parseDeviceReport(localStorage.getItem(key) ?? "");
    const own = report.environment;
    const same = own.engine === engine && own.versions[engine] === versions[engine];
    return same ? report : null;
  } catch {
    // Nothing is stored, or nothing may be: then there is only what this page finds.
    return null;
  }
}

function write(text: string): void {
  try {
    localStorage.setItem(key, text);
  } catch {
    // The report lasts as long as the page.
  }
}
