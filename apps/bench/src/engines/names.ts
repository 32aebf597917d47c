/** Browsers that pages are opened in: their engines are V8, SpiderMonkey and JavaScriptCore. */
export const browserNames = ["chromium", "firefox", "webkit"] as const;
export type BrowserName = (typeof browserNames)[number];

/** Runtimes other than Node that run the same modules. */
export const runtimeNames = ["deno", "bun"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

export type EngineName = BrowserName | RuntimeName;
export const engineNames: readonly EngineName[] = [...browserNames, ...runtimeNames];

export function isBrowser(name: EngineName): name is BrowserName {
  return (browserNames as readonly string[]).includes(name);
}
