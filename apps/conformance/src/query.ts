import { type Profile, profiles } from "@heed/conformance";
import { offered } from "./backends.js";

/** The options in the page's address. */
export interface PageQuery {
  /** Names of backends. Default: all whose requirements this browser meets, except the reference and peers. */
  readonly backends: readonly string[];
  /** Names in the address that match no backend of the page. */
  readonly unknown: readonly string[];
  /** Only the case of this id. */
  readonly id: string | undefined;
  /** Only cases whose id contains this. */
  readonly filter: string;
  /** Only this profile; `""` for all. */
  readonly profile: Profile | "";
  /** Whether to start at once. */
  readonly start: boolean;
}

/** @param search of an address: `"?backend=wasm&case=core/causal"` */
export function readQuery(search: string): PageQuery {
  const query = new URLSearchParams(search);
  const wanted = query.getAll("backend");
  // "onnx" is what a report from Node says: here that is each of its providers.
  const found = new Map(
    wanted.map((name) => [
      name,
      offered.map((o) => o.name).filter((own) => own === name || own.startsWith(`${name}:`)),
    ]),
  );
  const usual = offered
    .filter(({ name, isPeer, lacking }) => name !== "reference" && !isPeer && lacking === null)
    .map(({ name }) => name);
  const id = query.get("case") ?? undefined;
  const unknown = wanted.filter((name) => found.get(name)?.length === 0);
  return {
    backends: wanted.length > 0 ? [...new Set([...found.values()].flat())] : usual,
    unknown,
    id,
    filter: query.get("filter") ?? "",
    profile: profiles.find((profile) => profile === query.get("profile")) ?? "",
    start: unknown.length === 0 && (id !== undefined || query.has("start")),
  };
}
