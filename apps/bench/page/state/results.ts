import { signal } from "@preact/signals";
import { messageOf } from "../../src/message.js";
import { parseReport } from "../../src/report/parse.js";
import type { BenchReport } from "../../src/report/report.js";

/** What is shown. */
export const report = signal<BenchReport | null>(null);

/** Where that is from, in words; null for what this page has measured itself. */
export const origin = signal<string | null>(null);

/** Counts reports that are complete and worth scrolling to. */
export const arrivals = signal(0);

/** Shows what this page has measured, finished or not. */
export function showOwn(own: BenchReport): void {
  report.value = own;
  origin.value = null;
}

/** What it is compared with; null for nothing. */
export const earlier = signal<BenchReport | null>(null);

/** What went wrong with a file, for the person who gave it. */
export const fileProblem = signal<string | null>(null);

/**
 * Takes result files: the first is shown, a second is what that is compared with, as the older of the
 * two.
 */
export async function openFiles(files: Iterable<File>): Promise<void> {
  fileProblem.value = null;
  for (const file of files) {
    try {
      add(parseReport(JSON.parse(await file.text())), nameOf(file));
      arrivals.value++;
    } catch (error) {
      const message = messageOf(error);
      fileProblem.value = `${file.name} is not a result file: ${message}`;
    }
  }
}

/** What is fetched has its address for a name; a person's file has a name that is no address. */
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

/** Hands a file to the browser's downloads. */
export function download(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
