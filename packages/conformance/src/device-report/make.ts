import { InvalidInputError } from "@heed/core";
import { longestName, mostCharacters, shorten } from "./bounds.js";
import { type DeviceReport, deviceReportVersion } from "./device-report.js";
import { checkDeviceReport } from "./schema.js";

/** The parts of a report; at least one of the optional ones is needed. */
export type DeviceParts = Pick<
  DeviceReport,
  "environment" | "conformance" | "benchmark" | "tuning"
> & {
  /** A name for the device; empty or left out for none. */
  readonly device?: string;
  /** ISO 8601. Default: now */
  readonly created?: string | undefined;
};

/**
 * Makes a report that its own reader accepts.
 *
 * @throws InvalidInputError if there is nothing to report, or too much
 */
export function makeDeviceReport(parts: DeviceParts): DeviceReport {
  const { device = "", environment, conformance, benchmark, tuning } = parts;
  if (!conformance && !benchmark && !tuning) {
    throw new InvalidInputError("parts", "results of the suite or of the benchmark", "neither");
  }
  const report = checkDeviceReport({
    format: "heed-device",
    version: deviceReportVersion,
    created: parts.created ?? new Date().toISOString(),
    device: shorten(device.trim(), longestName) || null,
    environment,
    ...(conformance && { conformance }),
    ...(benchmark && { benchmark }),
    ...(tuning && { tuning }),
  });
  const { length } = deviceReportToJson(report);
  if (length > mostCharacters) {
    throw new InvalidInputError(
      "parts",
      `at most ${mostCharacters} characters of JSON`,
      `${length}`,
    );
  }
  return report;
}

/** As the text of a file. */
export function deviceReportToJson(report: DeviceReport): string {
  return `${JSON.stringify(report, null, 1)}\n`;
}
