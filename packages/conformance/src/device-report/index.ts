/**
 * Device reports: what one engine on one device computes, and how fast, in one small file or in a link.
 *
 * @module
 */
export { caseCharacters, fitting, most, shorten } from "./bounds.js";
export { conformancePart, environmentOf, shortInfo } from "./conformance-part.js";
export {
  adapterOf,
  bestRate,
  deviceTitle,
  engineName,
  engineTitle,
  gflopsOf,
  machineInWords,
  totals,
  tuningInWords,
} from "./describe.js";
export type {
  BackendConformance,
  DeviceBenchmark,
  DeviceCase,
  DeviceContender,
  DeviceEnvironment,
  DeviceFailure,
  DeviceReport,
  DeviceResult,
  DeviceTuning,
} from "./device-report.js";
export { reportFromFragment, reportToFragment } from "./link.js";
export { type DeviceParts, deviceReportToJson, makeDeviceReport } from "./make.js";
export { checkDeviceReport, parseDeviceReport } from "./schema.js";
