// Written by tools/compile-tuning.js from the tables of tuning and of reports.

/** The tables that come with the package, by the devices that they are for. */
export const builtIn: readonly {
  readonly vendor: string;
  readonly architecture: string;
  load(): Promise<{ readonly tables: readonly unknown[] }>;
}[] = [
  { vendor: "65541", architecture: "", load: () => import("./65541.js") },
  { vendor: "google", architecture: "swiftshader", load: () => import("./google-swiftshader.js") },
];
