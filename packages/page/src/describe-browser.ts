import Bowser from "bowser";

/** A browser as reports name it. */
export interface BrowserDescription {
  /** `"chromium"`, `"firefox"`, `"safari"`, … */
  readonly name: string;
  /** Versions of the browser, by its name, and of its engine. */
  readonly versions: Readonly<Record<string, string>>;
  readonly platform: string;
  /** Processors that it says it may use. */
  readonly cores: number;
}

/** Describes the browser that this page runs in. */
export function describeBrowser(): BrowserDescription {
  const { browser, engine, os, platform } = Bowser.parse(navigator.userAgent);
  const name = plainName(browser.name ?? "browser");
  return {
    name,
    versions: {
      [name]: browser.version ?? "?",
      ...(engine.name && engine.version && { [engine.name.toLowerCase()]: engine.version }),
    },
    platform: [os.name, os.version, platform.type].filter(Boolean).join(" "),
    cores: navigator.hardwareConcurrency,
  };
}

/** Headless or not, it is the same browser. */
function plainName(name: string): string {
  const plain = name.toLowerCase();
  return /chrom/.test(plain) ? "chromium" : plain.replace(/[^a-z0-9]+/g, "-");
}
