import { checkDeviceReport, type DeviceReport } from "@heed/conformance/device-report";
import { signal } from "@preact/signals";
import { messageOf } from "../../src/message.js";
import { modelRequest } from "../../src/model/request.js";
import { parseReport } from "../../src/report/parse.js";
import type { BenchReport } from "../../src/report/report.js";
import { changeRequest, request } from "./url.js";

/** The report that the page shows; null before there is one. */
export const report = signal<BenchReport | null>(null);

/** Address or file that the shown report came from, in words; null for this page's own measurements. */
export const origin = signal<string | null>(null);

/** A device report that was opened, and the file or address that it came from; null if none was. */
export const deviceReport = signal<{
  readonly report: DeviceReport;
  readonly origin: string;
} | null>(null);

/** Counts reports that are complete and worth scrolling to. */
export const arrivals = signal(0);

/** Shows what this page has measured, finished or not. */
export function showOwn(own: BenchReport): void {
  report.value = own;
  origin.value = null;
}

/** An earlier report that the shown one is compared with; null for none. */
export const earlier = signal<BenchReport | null>(null);

/** Error message for a file that could not be opened; null if there is none. */
export const fileProblem = signal<string | null>(null);

/**
 * Takes files. A model is measured next, a file of `numpy.savez` is what it is fed, and files of other kinds beside a
 * model hold its weights. Of result files the first is
 * shown, a second is what that is compared with, as the older of the two.
 */
export async function openFiles(files: Iterable<File>): Promise<void> {
  fileProblem.value = null;
  // Models first: what else was opened with one belongs to it.
  const isModel = ({ name }: File): boolean => /\.onnx$/i.test(name);
  const given = [...files].sort((a, b) => Number(isModel(b)) - Number(isModel(a)));
  for (const file of given) {
    if (takeModelFile(file)) continue;
    try {
      const value: unknown = JSON.parse(await file.text());
      const origin = nameOf(file);
      if (isDeviceReport(value)) deviceReport.value = { report: checkDeviceReport(value), origin };
      else add(parseReport(value), origin);
      arrivals.value++;
    } catch (error) {
      const message = messageOf(error);
      fileProblem.value = `${file.name} is not a result file: ${message}`;
    }
  }
}

function isDeviceReport(value: unknown): boolean {
  return (value as { format?: unknown } | null)?.format === "heed-device";
}

/** A model takes the place of the cases that were chosen, which can be added again. */
function takeModelFile(file: File): boolean {
  const { model } = request.value;
  if (/\.onnx$/i.test(file.name)) {
    for (const address of [model?.file, ...Object.values(model?.data ?? {})]) forget(address);
    const { feeds = null, random = null } = model ?? {};
    const next = modelRequest(URL.createObjectURL(file), { name: file.name, feeds, random });
    changeRequest({ model: next, cases: [], own: [] });
    return true;
  }
  if (model?.file.startsWith("blob:") && !/\.(npz|json)$/i.test(file.name)) {
    forget(model.data[file.name]);
    const data = { ...model.data, [file.name]: URL.createObjectURL(file) };
    changeRequest({ model: { ...model, data } });
    return true;
  }
  if (!/\.npz$/i.test(file.name)) return false;
  if (model) {
    forget(model.feeds);
    changeRequest({ model: { ...model, feeds: URL.createObjectURL(file), random: null } });
  } else {
    fileProblem.value = `${file.name} holds feeds of a model: open the model first`;
  }
  return true;
}

function forget(address: string | null | undefined): void {
  if (address?.startsWith("blob:")) URL.revokeObjectURL(address);
}

/** Describes the source of a file: a fetched file is named by its address, any other is "the file NAME". */
function nameOf({ name }: File): string {
  return /^[a-z]+:/.test(name) ? name : `the file ${name}`;
}

function add(opened: BenchReport, from: string): void {
  const shown = report.value;
  if (!shown) {
    report.value = opened;
    origin.value = from;
  } else if (dateOf(opened) <= dateOf(shown)) {
    earlier.value = opened;
  } else {
    earlier.value = shown;
    report.value = opened;
    origin.value = from;
  }
}

function dateOf({ environments }: BenchReport): string {
  return environments[0]?.date ?? "";
}
