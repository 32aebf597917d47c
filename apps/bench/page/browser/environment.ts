import Bowser from "bowser";
import type { Environment } from "../../src/report/report.js";
import type { Capability } from "./capabilities.js";

/** The environment that this page runs in. Browsers name neither the processor nor the memory. */
export function browserEnvironment(capabilities: readonly Capability[]): Environment {
  const { browser, engine, os, platform } = Bowser.parse(navigator.userAgent);
  const name = browserName(browser.name ?? "browser");
  const notes = capabilities.flatMap(({ present, title, missing }) =>
    present ? [] : [`no ${title}: ${missing}`],
  );
  return {
    name,
    date: new Date().toISOString(),
    versions: {
      [name]: browser.version ?? "?",
      ...(engine.name && engine.version && { [engine.name.toLowerCase()]: engine.version }),
    },
    cpu: null,
    cores: navigator.hardwareConcurrency,
    platform: [os.name, os.version, platform.type].filter(Boolean).join(" "),
    memory: null,
    ...(notes.length > 0 && { notes }),
  };
}

/** Headless or not, it is the same browser. */
function browserName(name: string): string {
  const plain = name.toLowerCase();
  return /chrom/.test(plain) ? "chromium" : plain.replace(/\s+/g, "-");
}
