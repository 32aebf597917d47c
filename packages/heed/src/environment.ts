/** Kinds of runtimes, as far as the order of backends differs. */
export type Environment = "browser" | "worker" | "node" | "deno" | "bun" | "workerd" | "other";

/** Members of the global object that tell runtimes apart. */
export interface Globals {
  readonly Deno?: unknown;
  readonly Bun?: unknown;
  readonly navigator?: { readonly userAgent?: string; readonly gpu?: unknown };
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly WorkerGlobalScope?: unknown;
  readonly document?: unknown;
}

/** The runtime that this code runs in. */
export function environmentOf(globals: Globals = globalThis as Globals): Environment {
  if (globals.Deno !== undefined) return "deno";
  if (globals.Bun !== undefined) return "bun";
  // workerd can imitate Node's process.
  if (globals.navigator?.userAgent === "Cloudflare-Workers") return "workerd";
  if (globals.process?.versions?.node !== undefined) return "node";
  if (globals.WorkerGlobalScope !== undefined) return "worker";
  return globals.document === undefined ? "other" : "browser";
}
